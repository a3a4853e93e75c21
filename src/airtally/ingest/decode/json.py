"""JSON: an object, or an array of objects. A long array is read window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from airtally.ingest.checked import Checked
from airtally.ingest.decode.bodies import UnpackedBody
from airtally.ingest.decode.gather import Gatherer
from airtally.ingest.decode.limits import DecodeLimits
from airtally.ingest.decode.ndjson import ndjson_chunks
from airtally.ingest.decode.text import BOM, CHUNK_BYTES, TextFile
from airtally.ingest.json_text import json_error
from airtally.kit.errors import BadRequest
from airtally.kit.fair import pause
from airtally.streams.declaration import Stream

#: Bytes looked at in one go, more only while an element does not end within.
WINDOW = 64 << 10
_WINDOW_MAX = 16 << 20

_SPACE = b" \t\r\n"
_decode = msgspec.json.Decoder(list[msgspec.Raw]).decode
_WRONG = (msgspec.MsgspecError, RecursionError)


def read_json(stream: Stream, body: UnpackedBody, limits: DecodeLimits) -> Checked:
    """All rows of a text. Raises BadRequest where it is no JSON, or neither object nor array."""
    gatherer = Gatherer(stream, limits)
    with body.text() as text:
        windows = Windows(text)
        for window in windows:
            _take(gatherer, window, partial(_again, body, windows.span, len(window)))
    return gatherer.finish()


def _again(body: UnpackedBody, span: tuple[int, int], size: int) -> list[bytes]:
    """The elements of a window of so many bytes: its span between brackets, of which the text's last one may be there."""
    begin, end = span
    window = b"[" + body.at(begin).read(end - begin)
    return _elements(window if len(window) == size else window + b"]")


def json_chunks(stream: Stream, path: Path, start: int, limits: DecodeLimits) -> Iterator[tuple[Checked, int]]:
    """The chunks of a file after the byte `start`; a file of several objects is read as NDJSON."""
    if json_has_lines(path):
        yield from ndjson_chunks(stream, path, start, limits)
        return
    with TextFile.of(path) as text:
        windows = Windows(text)
        gatherer, size = Gatherer(stream, limits), 0
        for window in windows:
            if windows.position <= start:
                gatherer.line += len(_elements(window))
                continue
            _take(gatherer, window, partial(_elements, window))
            size += len(window)
            if size >= CHUNK_BYTES:
                yield gatherer.finish(), windows.position
                gatherer, size = Gatherer(stream, limits, gatherer.line), 0
        if size:
            yield gatherer.finish(), windows.position


def _take(gatherer: Gatherer, window: bytes, again: Callable[[], list[bytes]]) -> None:
    pause()
    gatherer.take(_elements(window), len(window), again)


def _elements(window: bytes) -> list[bytes]:
    return list(map(bytes, _decode(window)))


class Windows:
    """Cuts a text into well-formed arrays of some of its elements; `position` is where the last one ended, `span` what
    it held.

    A cut is tried at the last comma after a `}`, else at the last comma of all, as between numbers. If what stands
    before it is a well-formed list, the cut was at the top level: within a string or a nested value the list would be
    left open.
    """

    def __init__(self, text: TextFile) -> None:
        self._text = text
        self._ahead = b""
        self._ended = False  # nothing comes after `_ahead`
        self._cut = False  # a comma stands before `_ahead`
        self.position = 0
        self.span = (0, 0)

    def __iter__(self) -> Iterator[bytes]:
        self._begin()
        if self._ahead.startswith(b"{"):
            yield self._only()
            return
        if not self._ahead.startswith(b"["):
            raise _not_json("it begins neither with { nor with [")
        self._drop(1)
        while (window := self._next()) is not None:
            yield window
        yield self._last()

    def _begin(self) -> None:
        """Go to the first character that says something."""
        self._fill(WINDOW)
        if self._ahead.startswith(BOM):
            self._drop(len(BOM))
        while self._ahead and self._ahead[:1] in _SPACE:
            self._drop(len(self._ahead) - len(self._ahead.lstrip(_SPACE)))
            self._fill(WINDOW)

    def _only(self) -> bytes:
        """The text as an array of its one object."""
        self._fill(_WINDOW_MAX)
        window = b"[%s]" % self._ahead
        if not self._ended:
            raise BadRequest(f"the body is one object longer than {_WINDOW_MAX} bytes", hint="Send an array.")
        if len(_split_values(window)) != 1:
            raise _not_json("more than one value")
        self._drop(len(self._ahead))
        self.span = (self.position - len(window) + 2, self.position)
        return window

    def _next(self) -> bytes | None:
        """The next window but for the last."""
        size = WINDOW
        while size <= _WINDOW_MAX:
            self._fill(size)
            if self._ended:
                return None
            for cut in (self._ahead.rfind(b"},") + 1, self._ahead.rfind(b",")):
                window = b"[%s]" % self._ahead[:cut]
                if cut > 0 and _well_formed(window):
                    self.span = (self.position, self.position + cut)
                    self._drop(cut + 1)
                    self._cut = True
                    return window
            pause()
            size *= 2
        raise _not_json(f"no row ends within {_WINDOW_MAX} bytes")

    def _last(self) -> bytes:
        window = b"[" + self._ahead
        if self._cut and self._ahead.strip(_SPACE) == b"]":
            raise _not_json("nothing after a comma")
        _split_values(window)
        self.span = (self.position, self.position + len(self._ahead))
        self._drop(len(self._ahead))
        return window

    def _fill(self, size: int) -> None:
        """Look at least `size` bytes ahead, or to the end."""
        if len(self._ahead) < size and not self._ended:
            self._ahead += self._text.read(size - len(self._ahead))
            self._ended = len(self._ahead) < size

    def _drop(self, size: int) -> None:
        self._ahead = self._ahead[size:]
        self.position += size


def _well_formed(window: bytes) -> bool:
    try:
        _decode(window)
    except _WRONG:
        return False
    return True


def _split_values(window: bytes) -> list[msgspec.Raw]:
    try:
        return _decode(window)
    except _WRONG as error:
        raise _not_json(json_error(error).removeprefix("not JSON: ")) from None


def _not_json(why: str) -> BadRequest:
    return BadRequest(f"the body is not JSON: {why}", hint="For one object a line send application/x-ndjson.")


def json_has_lines(path: Path) -> bool:
    """Whether a file's first line is a whole object and more follow."""
    with TextFile.of(path) as text:
        head = text.read(1 << 20)
    first, ended, rest = head.removeprefix(BOM).partition(b"\n")
    return bool(ended and rest.strip() and first.lstrip().startswith(b"{") and _well_formed(b"[%s]" % first))
