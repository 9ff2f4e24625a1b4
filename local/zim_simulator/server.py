"""The simulated server on sockets of 127.0.0.1: HTTP and, with the certificate of a throw-away authority, HTTPS."""

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from aiohttp import web

from local.page import routes as page
from local.zim_simulator.control import routes
from local.zim_simulator.faults import between, respond
from local.zim_simulator.return_codes import Code, answer
from local.zim_simulator.state import SIMULATOR, Record, Simulator
from local.zim_simulator.zim import Instant, Settings, decode

HOST = "127.0.0.1"
# A query that is far too long is ZIM's to refuse, with a code; the HTTP parser must not come first.
MAX_REQUEST_LINE_BYTES = 65536
SHUTDOWN_SECONDS = 0.1


class CannotListenError(Exception):
    """A port is taken, or not ours to take; the text is a sentence that says which and why."""


@dataclass(frozen=True)
class Addresses:
    """The base URLs of a server that listens."""

    url: str
    https_url: str | None


@asynccontextmanager
async def listening(
    simulator: Simulator, port: int, https_port: int | None = None, ca_file: Path | None = None
) -> AsyncIterator[Addresses]:
    """Serve while the context lasts; port 0 takes any free one, and without `https_port` there is no HTTPS.

    The authority's certificate is written to `ca_file` as PEM. Raises CannotListenError.
    """
    app = web.Application()
    app[SIMULATOR] = simulator
    app[page.STACK] = {}
    app.add_routes([web.route("*", "/", _receive), *routes, *page.routes])
    runner = web.AppRunner(
        app, access_log=None, max_line_size=MAX_REQUEST_LINE_BYTES, shutdown_timeout=SHUTDOWN_SECONDS
    )
    await runner.setup()
    try:
        url = await _listen(runner, port, None)
        https_url = None if https_port is None else await _listen(runner, https_port, _certificate(ca_file))
        yield Addresses(url, https_url)
    finally:
        await runner.cleanup()


async def _receive(request: web.Request) -> web.StreamResponse:
    if page.is_for_page(request):
        raise web.HTTPFound("/page/")
    simulator = request.app[SIMULATOR]
    zim = simulator.zim  # What hangs past a reset must not find the state that follows.
    await _travel(zim.settings)
    at = Instant(time.time(), time.monotonic())
    query = request.raw_path.partition("?")[2]
    parameters = decode(query)
    refusal = zim.admit(request.method, parameters, at)
    fault = simulator.faults.take()
    record = Record(
        unix=at.unix,
        monotonic=at.monotonic,
        method=request.method,
        query=query,
        parameters=parameters or {},
        connection=simulator.connection_number(request.transport),
        user_agent=request.headers.get("User-Agent", ""),
        nonce_repeated=simulator.is_repeated((parameters or {}).get("SignatureNonce", "")),
        fault=fault.kind if fault else None,
    )
    simulator.records.append(record)

    def carry_out(now: float) -> Code:
        return zim.reject(record.parameters, now) if refusal is None else refusal

    if fault is None or fault.is_carried_out():
        record.code = carry_out(at.monotonic)
    elif fault.kind == "code":
        record.code = fault.code
    await simulator.faults.hold(fault)
    if record.code is None and fault and fault.kind == "hang" and request.transport:
        record.code = carry_out(time.monotonic())
    await _travel(zim.settings)
    return await respond(request, fault, answer(record.code or 0))


async def _travel(settings: Settings) -> None:
    """Take one of the two ways through the network."""
    seconds = between(settings.latency, settings.jitter) / 2
    if seconds:
        await asyncio.sleep(seconds)


async def _listen(runner: web.AppRunner, port: int, context: ssl.SSLContext | None) -> str:
    try:
        await web.TCPSite(runner, HOST, port, ssl_context=context).start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        message = f"Cannot listen on port {port} of {HOST}: {reason}."
        raise CannotListenError(message) from error
    return f"{'https' if context else 'http'}://{HOST}:{runner.addresses[-1][1]}"


def _certificate(ca_file: Path | None) -> ssl.SSLContext:
    authority = trustme.CA()
    if ca_file:
        authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST, "localhost").configure_cert(context)
    return context
