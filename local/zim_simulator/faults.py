"""Faults on demand: slow responses, aborted connections, and responses that do not come from ZIM."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, get_args

from aiohttp import web

from local.zim_simulator.return_codes import random_digits, response_body

Kind = Literal[
    "slow",  # respond after `seconds`
    "hang",  # respond when the faults are cleared
    "cut_before",  # abort the connection before the response
    "cut_middle",  # abort the connection after the headers and half of the body
    "drip",  # send the headers, then one byte of the body every `seconds`
    "html",  # an HTML page with status 200
    "http_500",  # an HTML page with status 500
    "redirect",  # status 302 to `location`
    "huge",  # JSON of `size` bytes, chunked
    "no_code",  # JSON without Code
    "not_object",  # a JSON array
    "code",  # the return code `code`
]
KINDS: tuple[Kind, ...] = get_args(Kind)
_KINDS_WITH_ZIMS_RESPONSE = ("slow", "cut_middle", "drip")
_PAGE = "<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"
_CHUNK_BYTES = 65536


@dataclass
class Fault:
    """A fault for the next `times` requests, or for all until it is cleared if `times` is None.

    `carried_out` says that ZIM processes the request although its response is lost. The kinds that send ZIM's own
    response (slow, cut_middle, drip) always process it.
    """

    kind: Kind
    times: int | None = 1
    seconds: float = 1.0
    carried_out: bool = False
    location: str = "/elsewhere"
    code: int = 1
    size: int = 100_000_000

    def is_carried_out(self) -> bool:
        """Return whether ZIM processes the request on arrival."""
        return self.carried_out or self.kind in _KINDS_WITH_ZIMS_RESPONSE


class Faults:
    """The faults to come, in order, and the requests that hang because of one."""

    def __init__(self) -> None:
        self.queue: list[Fault] = []
        self._cleared = asyncio.Event()

    def take(self) -> Fault | None:
        """Return the fault for the next request, and count it."""
        fault = self.queue[0] if self.queue else None
        if fault and fault.times is not None:
            fault.times -= 1
            if fault.times == 0:
                del self.queue[0]
        return fault

    def clear(self) -> None:
        """Remove all faults and respond to the requests that hang."""
        self.queue.clear()
        self._cleared.set()
        self._cleared = asyncio.Event()

    async def delay(self, fault: Fault | None) -> None:
        """Wait as long as the fault delays the response."""
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        elif fault and fault.kind == "hang":
            await self._cleared.wait()


async def respond(request: web.Request, fault: Fault | None, body: bytes) -> web.StreamResponse:
    """Send ZIM's response body, or what the fault replaces it with."""
    if fault and fault.kind in _STREAMED:
        try:
            return await _STREAMED[fault.kind](request, fault, body)
        except ConnectionError:  # the client closed the connection
            return _abort(request, web.StreamResponse())
    if fault and fault.kind in _REPLACED:
        return _REPLACED[fault.kind](fault)
    return _json(body)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json", charset="utf-8")


def _html(status: int) -> web.Response:
    return web.Response(status=status, text=_PAGE, content_type="text/html")


_REPLACED: dict[str, Callable[[Fault], web.Response]] = {
    "html": lambda _: _html(200),
    "http_500": lambda _: _html(500),
    "redirect": lambda fault: web.Response(status=302, headers={"Location": fault.location}),
    "no_code": lambda _: _json(json.dumps({"Message": "success", "RequestId": random_digits()}).encode()),
    "not_object": lambda _: _json(b'[0, "success"]'),
    "code": lambda fault: _json(response_body(fault.code)),
}


async def _cut_before(request: web.Request, _: Fault, __: bytes) -> web.StreamResponse:
    return _abort(request, web.StreamResponse())


async def _cut_middle(request: web.Request, _: Fault, body: bytes) -> web.StreamResponse:
    response = await _start(request, len(body))
    await response.write(body[: len(body) // 2])
    return _abort(request, response)


async def _drip(request: web.Request, fault: Fault, body: bytes) -> web.StreamResponse:
    response = await _start(request, len(body))
    for byte in body:
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
