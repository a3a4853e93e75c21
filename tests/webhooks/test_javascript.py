"""Signatures verify with the published JavaScript library, and by the specification with node's own crypto."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airtally.accounts.accounts import Account
from airtally.kit.clock import MovableClock
from airtally.webhooks.endpoints import Endpoints, EndpointSecret
from airtally.webhooks.signing import new_secret, signed_headers
from fixtures.receiver import Receiver
from fixtures.webhooks import Enqueue, StartWebhooks

FOLDER = Path(__file__).parents[1] / "javascript"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed (scripts/interpreters)")
needs_library = pytest.mark.skipif(
    not (FOLDER / "node_modules" / "standardwebhooks").exists(), reason="npm ci has not run (scripts/javascript)"
)

LIBRARY = """
const { Webhook } = require('standardwebhooks');
const { secret, body, headers } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
try {
  console.log(JSON.stringify(new Webhook(secret).verify(body, headers)));
} catch (error) {
  console.log(JSON.stringify(error.message));
}
"""
BY_HAND = """
const { createHmac, timingSafeEqual } = require('crypto');
const { secret, body, headers } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
const right = createHmac('sha256', key).update(signed).digest();
const good = headers['webhook-signature'].split(' ').some((each) => {
  const [version, signature] = each.split(',');
  const given = Buffer.from(signature, 'base64');
  return version === 'v1' && given.length === right.length && timingSafeEqual(given, right);
});
console.log(JSON.stringify(good ? JSON.parse(body) : 'No matching signature found'));
"""


def read_by(program: str, secret: str, body: bytes, headers: dict[str, str]) -> object:
    given = json.dumps({"secret": secret, "body": body.decode(), "headers": headers})
    ended = subprocess.run(
        ["node", "-e", program], input=given, capture_output=True, text=True, check=False, cwd=FOLDER
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture
def clock() -> MovableClock:
    """The library checks the timestamp by the machine's clock."""
    return MovableClock(time.time_ns() // 1000)


@needs_node
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("program", [pytest.param(LIBRARY, marks=needs_library, id="library"), BY_HAND])
def test_a_received_message_verifies(
    receiver: Receiver,
    declared: Callable[..., EndpointSecret],
    endpoints: Endpoints,
    enqueue: Enqueue,
    start_webhooks: StartWebhooks,
    account: Account,
    program: str,
) -> None:
    first = declared(receiver.url)
    second = endpoints.rotate(account, first.endpoint.id)
    enqueue()
    start_webhooks()
    receiver.wait(1)
    body, headers = receiver.bodies[0], receiver.headers[0]
    for each in (first, second):
        assert read_by(program, each.secret, body, headers) == json.loads(body)
    assert read_by(program, new_secret(), body, headers) == "No matching signature found"
    assert read_by(program, first.secret, body + b" ", headers) == "No matching signature found"


@needs_node
@pytest.mark.parametrize("program", [pytest.param(LIBRARY, marks=needs_library, id="library"), BY_HAND])
@pytest.mark.parametrize("text", ["", "é 漢字 \U0001f600", '"\\u2028', "a\tb"])
def test_any_text_verifies(program: str, text: str) -> None:
    secret, body = new_secret(), json.dumps({"data": text}, ensure_ascii=False)
    headers = signed_headers("msg_1", time.time_ns() // 1000, body, [secret])
    assert read_by(program, secret, body.encode(), headers) == {"data": text}
