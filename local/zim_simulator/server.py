"""The simulator's HTTP server and, with a certificate of a temporary CA, its HTTPS server."""

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from aiohttp import web
from aiohttp.typedefs import Handler

from local.access import HEADER, HEADER_MISSING, rejection
from local.page import routes as page
from local.zim_simulator.control import routes
from local.zim_simulator.faults import respond
from local.zim_simulator.return_codes import Code, response_body
from local.zim_simulator.state import SIMULATOR, Record, Simulator
from local.zim_simulator.zim import Instant, Settings, decode

HOST = "127.0.0.1"
# Long enough that the simulated ZIM, not the HTTP parser, rejects an ExtendedData that is too long.
MAX_REQUEST_LINE_BYTES = 65536
SHUTDOWN_SECONDS = 0.1
GREETING = """ZIM simulator of the CallReject local stack.

{url}/page/            the page, for a browser
{url}/?Action=...      ZIM's server API
{url}/simulator/...    calls, faults and settings: docs/local-stack.md
"""

_random = random.SystemRandom()


@dataclass(frozen=True)
class Addresses:
    """The base URLs of a running server."""

    url: str
    https_url: str | None


@asynccontextmanager
async def listening(port: int, https_port: int | None = None, ca_file: Path | None = None) -> AsyncIterator[Addresses]:
    """Run a simulator until the block ends. Port 0 is any free port; without `https_port` there is no HTTPS.

    The CA certificate is written to `ca_file` as PEM.
    """
    app = web.Application(middlewares=[_check_access])
    app.on_response_prepare.append(_forbid_frames)
    app[SIMULATOR] = Simulator()
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
        app[SIMULATOR].callbacks.cancel()
        await runner.cleanup()


@web.middleware
async def _check_access(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Reject requests that a page of another origin can send."""
    reason = rejection(
        request.headers.get("Host"), request.headers.get("Origin"), (f"{request.scheme}://{request.host}",)
    )
    is_change = request.method not in {"GET", "HEAD"} and request.path != "/"  # at / is ZIM's API
    if reason is None and is_change and HEADER not in request.headers:
        reason = HEADER_MISSING
    if reason:
        return web.json_response({"error": reason}, status=403)
    return await handler(request)


async def _forbid_frames(_: web.Request, response: web.StreamResponse) -> None:
    """Keep other pages from showing the page in a frame, where users can be tricked into clicking on it."""
    response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"


async def _receive(request: web.Request) -> web.StreamResponse:
    if page.is_page_request(request):
        raise web.HTTPFound("/page/")
    if request.method == "GET" and not request.query_string:
        return web.Response(text=GREETING.format(url=f"{request.scheme}://{request.host}"))
    simulator = request.app[SIMULATOR]
    zim = simulator.zim  # a reset replaces simulator.zim while this request waits
    client_port = request.transport.get_extra_info("peername")[1] if request.transport else 0
    await _network_delay(zim.settings)
    arrival = Instant(time.time(), time.monotonic())
    query = request.raw_path.partition("?")[2]
    decoded = decode(query)
    parameters = decoded or {}
    failure = zim.admit(request.method, decoded, arrival)
    fault = simulator.faults.take()
    record = Record(
        monotonic=arrival.monotonic,
        method=request.method,
        query=query,
        parameters=parameters,
        connection=client_port,
        fault=fault.kind if fault else None,
    )
    simulator.records.append(record)

    def process(now: float) -> Code:
        return zim.reject(parameters, now) if failure is None else failure

    if fault is None or fault.is_carried_out():
        record.code = process(arrival.monotonic)
    elif fault.kind == "code":
        record.code = fault.code
    await simulator.faults.delay(fault)
    client_is_connected = request.transport is not None
    if record.code is None and fault and fault.kind == "hang" and client_is_connected:
        record.code = process(time.monotonic())
    await _network_delay(zim.settings)
    return await respond(request, fault, response_body(record.code or 0))


async def _network_delay(settings: Settings) -> None:
    """Wait for one direction of the round trip."""
    seconds = (settings.latency + _random.uniform(0, settings.jitter)) / 2
    if seconds:
        await asyncio.sleep(seconds)


async def _listen(runner: web.AppRunner, port: int, context: ssl.SSLContext | None) -> str:
    await web.TCPSite(runner, HOST, port, ssl_context=context).start()
    return f"{'https' if context else 'http'}://{HOST}:{runner.addresses[-1][1]}"


def _certificate(ca_file: Path | None) -> ssl.SSLContext:
    authority = trustme.CA()
    if ca_file:
        authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST, "localhost").configure_cert(context)
    return context
