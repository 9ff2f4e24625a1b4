"""The ways in which the simulated server misbehaves when told to: slow, silent, cut short, or not ZIM's answer."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, get_args

from aiohttp import web

from local.zim_simulator.return_codes import answer, random_digits

Kind = Literal[
    "slow",  # answers `seconds` late, and up to `jitter` seconds more
    "hang",  # answers when the faults are cleared
    "cut_before",  # aborts the connection before any byte of the answer
    "cut_middle",  # aborts it after the headers and half of the body
    "drip",  # sends the headers, then one byte of the body every `seconds`
    "html",  # a page instead of JSON, status 200
    "http_500",  # the same, status 500
    "redirect",  # status 302 to `location`
    "huge",  # JSON of `size` bytes, its length not said beforehand
    "no_code",  # JSON without Code
    "not_object",  # a JSON array
    "code",  # the return code `code`, whatever it is
]
KINDS: tuple[Kind, ...] = get_args(Kind)
_ANSWERING_KINDS = ("slow", "cut_middle", "drip")
_PAGE = "<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"
_CHUNK_BYTES = 65536
_random = random.SystemRandom()


@dataclass
class Fault:
    """What the next `times` requests meet; None means all of them until it is cleared. The rest is said at `Kind`.

    `carried_out` says that the call is rejected all the same, by a server that then fails to say so. The kinds that
    carry ZIM's own answer always do that.
    """

    kind: Kind
    times: int | None = 1
    seconds: float = 1.0
    jitter: float = 0.0
    carried_out: bool = False
    location: str = "/elsewhere"
    code: int = 1
    size: int = 100_000_000

    def is_carried_out(self) -> bool:
        """Tell whether the call is carried out when the request arrives."""
        return self.carried_out or self.kind in _ANSWERING_KINDS


class Faults:
    """The faults to come, of which the first is the next, and the requests that one of them keeps waiting."""

    def __init__(self) -> None:
        self.coming: list[Fault] = []
        self._cleared = asyncio.Event()

    def take(self) -> Fault | None:
        """Use up one time of the next fault."""
        fault = self.coming[0] if self.coming else None
        if fault and fault.times is not None:
            fault.times -= 1
            if fault.times == 0:
                del self.coming[0]
        return fault

    def clear(self) -> None:
        """Forget all faults and let go of the requests that hang."""
        self.coming.clear()
        self._cleared.set()
        self._cleared = asyncio.Event()

    async def hold(self, fault: Fault | None) -> None:
        """Wait as long as this fault wants the answer to wait."""
        if fault and fault.kind == "slow":
            await asyncio.sleep(between(fault.seconds, fault.jitter))
        elif fault and fault.kind == "hang":
            await self._cleared.wait()


def between(seconds: float, jitter: float) -> float:
    """Give `seconds` and, evenly distributed, up to `jitter` seconds more."""
    return seconds + _random.uniform(0, jitter)


async def respond(request: web.Request, fault: Fault | None, document: bytes) -> web.StreamResponse:
    """Send ZIM's answer `document`, or what the fault makes of it."""
    if fault and fault.kind in _STREAMED:
        try:
            return await _STREAMED[fault.kind](request, fault, document)
        except ConnectionError:  # The client had enough.
            return _abort(request, web.StreamResponse())
    if fault and fault.kind in _REPLACED:
        return _REPLACED[fault.kind](fault)
    return _json(document)


def _json(document: bytes) -> web.Response:
    return web.Response(body=document, content_type="application/json", charset="utf-8")


def _html(status: int) -> web.Response:
    return web.Response(status=status, text=_PAGE, content_type="text/html")


_REPLACED: dict[str, Callable[[Fault], web.Response]] = {
    "html": lambda _: _html(200),
    "http_500": lambda _: _html(500),
    "redirect": lambda fault: web.Response(status=302, headers={"Location": fault.location}),
    "no_code": lambda _: _json(json.dumps({"Message": "success", "RequestId": random_digits()}).encode()),
    "not_object": lambda _: _json(b'[0, "success"]'),
    "code": lambda fault: _json(answer(fault.code)),
}


async def _cut_before(request: web.Request, _: Fault, __: bytes) -> web.StreamResponse:
    return _abort(request, web.StreamResponse())


async def _cut_middle(request: web.Request, _: Fault, document: bytes) -> web.StreamResponse:
    response = await _start(request, len(document))
    await response.write(document[: len(document) // 2])
    return _abort(request, response)


async def _drip(request: web.Request, fault: Fault, document: bytes) -> web.StreamResponse:
    response = await _start(request, len(document))
    for byte in document:
        await response.write(bytes([byte]))
        await asyncio.sleep(fault.seconds)
    return response


async def _huge(request: web.Request, fault: Fault, _: bytes) -> web.StreamResponse:
    head, tail = b'{"Code": 0, "RequestId": "1", "Message": "', b'"}'
    padding = max(0, fault.size - len(head) - len(tail))
    response = await _start(request, None)
    await response.write(head)
    for sent in range(0, padding, _CHUNK_BYTES):
        await response.write(b"x" * min(_CHUNK_BYTES, padding - sent))
    await response.write(tail)
    return response


_STREAMED: dict[str, Callable[[web.Request, Fault, bytes], Awaitable[web.StreamResponse]]] = {
    "cut_before": _cut_before,
    "cut_middle": _cut_middle,
    "drip": _drip,
    "huge": _huge,
}


async def _start(request: web.Request, length: int | None) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
    response.content_length = length
    await response.prepare(request)
    return response


def _abort(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport:
        request.transport.abort()
    return response
