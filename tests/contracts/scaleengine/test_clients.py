"""Requests really made by PHP, Node and Python, on the machine's clock: no signature here is the test's own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from airtally.settings import Settings
from fixtures.native import Native
from fixtures.server import LiveServer
from fixtures.viewers import API_KEY, CDN, PILOT, SECRET, accepted, import_key, sample

#: The vendor's sample, with the account, the file and the time to be put in.
PHP_SAMPLE = r"""<?php
    $request = array(
        'command' => 'viewer.log',
        'api_key' => '##API Public Key##',
        'timestamp' => time(),
        'cdn' => 158,
        'app' => 'appname-here',
        'graph' => 1 ,
        'url' => 'sestore3/username/path/filename.mp4', /* optional */
        'starttime' => '2014-09-21 15:00:00',           /* optional */
    );

        //Create request signature
    $json_request = json_encode($request);
    $sig = base64_encode(hash_hmac('sha256', $json_request,
        '##API Secret Key##', true));
    $request['signature'] = $sig;
    $json_request = json_encode($request);

    $ch = curl_init();
    curl_setopt($ch, CURLOPT_URL, 'https://api.scaleengine.net/stable/'); // Set the URL
    curl_setopt($ch, CURLOPT_POST, true); // Perform a POST
    curl_setopt($ch, CURLOPT_RETURNTRANSFER, true); // If not set, curl prints output to the browser
    curl_setopt($ch, CURLOPT_HEADER, false); // If set, curl returns headers as part of the data stream
    curl_setopt($ch, CURLOPT_POSTFIELDS, array('json' => $json_request)); //'Json' string or 'PHP' serialized return

    $response = curl_exec($ch); //Execute the API Call
    if (!$response) {
        die('Failed to connect to ScaleEngine API');
    }

    //Decode the response as an associative array
    $arrResponse = json_decode($response, true);
    if ($arrResponse) {
        //Operation completed successfully
        //TODO Add work here
        print_r($arrResponse);
    } else {
        //Operation failed
        echo 'An error occured processing your request:';
        print_r($response);
    }
"""

PHP_SERIALIZED = r"""<?php
    $request = json_decode(getenv('REQUEST'), true);
    $flags = (int) getenv('FLAGS');
    $request['signature'] = base64_encode(hash_hmac('sha256', json_encode($request, $flags), getenv('SECRET'), true));
    $ch = curl_init(getenv('URL'));
    curl_setopt($ch, CURLOPT_RETURNTRANSFER, true);
    curl_setopt($ch, CURLOPT_POSTFIELDS, array(getenv('FIELD') => json_encode($request, $flags)));
    $response = curl_exec($ch);
    echo json_encode(getenv('FIELD') == 'json' ? json_decode($response) : unserialize($response));
"""

NODE = r"""
    const { createHmac } = require('node:crypto');
    const request = JSON.parse(process.env.REQUEST), indent = process.env.INDENT ? 2 : 0;
    const sign = text => createHmac('sha256', process.env.SECRET).update(text).digest('base64');
    request.signature = sign(JSON.stringify(request, null, indent));
    const form = process.env.FORM === 'multipart' ? new FormData() : new URLSearchParams();
    form.append('json', JSON.stringify(request, null, indent));
    fetch(process.env.URL, { method: 'POST', body: form }).then(answer => answer.text()).then(console.log);
"""


@dataclass
class Now:
    """A server on the machine's clock with one minute's samples, ten minutes old."""

    url: str
    minute: str

    def request(self) -> dict[str, object]:
        who = {"command": "viewer.log", "api_key": API_KEY, "timestamp": int(time.time()), "cdn": CDN}
        return who | {"app": ["acme-vod", "café"], "graph": 1, "url": [PILOT, "é_*"]}

    def check(self, reply: dict[str, object]) -> None:
        assert reply["message"] == "Found viewers", reply
        found = [(row["app"], row["video_url"], row["viewer_count_sum"], row["time"]) for row in reply["data"]]  # type: ignore[attr-defined]
        assert found == [("acme-vod", PILOT, 60, self.minute), ("café", "é_1", 7, self.minute)]


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Now]:
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("clients") / "home", rate_limits=False)).start()
    native = Native(server, "acme")
    import_key(server, native, CDN, API_KEY, SECRET)
    at = time.gmtime(time.time() - 600)
    rows = sample("acme-vod", PILOT, time.strftime("%Y-%m-%dT%H:%M", at), e1=10, e2=30, e3=20)
    accepted(native, "viewer_samples", rows + sample("café", "é_1", time.strftime("%Y-%m-%dT%H:%M", at), e1=7))
    native.http.close()
    yield Now(server.url + "/stable/", time.strftime("%Y-%m-%d %H:%M:00", at))
    server.stop()


def run(*command: str, text: str = "", **environment: str) -> str:
    done = subprocess.run(
        command,
        input=text,
        env=environment | {"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def test_the_vendors_php_sample(now: Now) -> None:
    text = PHP_SAMPLE.replace("##API Public Key##", API_KEY).replace("##API Secret Key##", SECRET)
    text = text.replace("https://api.scaleengine.net/stable/", now.url).replace("158", str(CDN))
    assert "[message] => No viewers found" in run("php", text=text)
    text = text.replace("appname-here", "acme-vod").replace("sestore3/username/path/filename.mp4", PILOT)
    printed = run("php", text=text.replace("2014-09-21 15:00:00", now.minute))
    assert "[message] => Found viewers" in printed
    assert re.search(rf"\[viewer_count_sum\] => 60\s+\[time\] => {now.minute}", printed)


@pytest.mark.parametrize("field", ["json", "php", "PHP"])
@pytest.mark.parametrize("flags", [0, 64, 256, 128 + 64 + 256], ids=["plain", "slashes", "unicode", "pretty"])
def test_php_with_every_flag_in_both_forms(now: Now, field: str, flags: int) -> None:
    asked = {"REQUEST": json.dumps(now.request()), "SECRET": SECRET, "URL": now.url}
    now.check(json.loads(run("php", text=PHP_SERIALIZED, FIELD=field, FLAGS=str(flags), **asked)))


def test_php_expects_100_continue_on_a_large_body(now: Now) -> None:
    request = json.dumps(now.request() | {"note": "x" * 900_000})
    script = PHP_SERIALIZED.replace(
        "json_decode(getenv('REQUEST'), true)", "json_decode(file_get_contents('php://stdin'), true)"
    )
    asked = {"SECRET": SECRET, "URL": now.url, "FIELD": "json", "FLAGS": "0"}
    now.check(json.loads(run("php", "-r", script.removeprefix("<?php"), text=request, **asked)))


@pytest.mark.parametrize("form", ["multipart", "urlencoded"])
@pytest.mark.parametrize("indent", ["", "yes"])
def test_node(now: Now, form: str, indent: str) -> None:
    asked = {"REQUEST": json.dumps(now.request()), "SECRET": SECRET, "URL": now.url, "FORM": form}
    now.check(json.loads(run("node", "-e", NODE, INDENT=indent, **asked)))


@pytest.mark.parametrize("form", ["multipart", "file", "urlencoded"])
@pytest.mark.parametrize(
    "layout", [{}, {"sort_keys": True}, {"separators": (",", ":")}, {"indent": 2}, {"ensure_ascii": False}]
)
def test_python(now: Now, form: str, layout: dict[str, object]) -> None:
    def encode(fields: dict[str, object]) -> str:
        return json.dumps(fields, **layout)  # type: ignore[arg-type]

    fields = now.request()
    digest = hmac.new(SECRET.encode(), encode(fields).encode(), hashlib.sha256).digest()
    text = encode(fields | {"signature": base64.b64encode(digest).decode()})
    sent = {
        "multipart": {"files": {"json": (None, text.encode())}},
        "file": {"files": {"json": ("request.json", text.encode(), "application/json")}},
        "urlencoded": {"data": {"json": text.encode()}},
    }[form]
    now.check(requests.post(now.url, timeout=120, **sent).json())  # type: ignore[arg-type]
