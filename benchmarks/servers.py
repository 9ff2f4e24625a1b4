"""ZIM, Secrets Manager and SQS on 127.0.0.1, at a distance. They respond immediately and check nothing.

python -m benchmarks.servers FOLDER ROUND-TRIP ... (seconds) prints the base URLs as JSON, and writes the certificate of
the test CA to FOLDER/ca.pem. The servers run in a process of their own, so that they do not slow down the measurement.

A distance is a relay that forwards bytes in each direction after half a round trip. The kernel completes the TCP
handshake with the relay immediately, so the relay holds back the first bytes of the client for one more round trip.
"""

import asyncio
import contextlib
import hashlib
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

from local.paths import ROOT
from local.processes import HOST
from local.zim_simulator.zim import APP_ID, SERVER_SECRET

ZIM_RESPONSE = {"Code": 0, "Message": "success", "RequestId": "343649807833778782"}
SECRET = {"Name": "zim", "SecretString": json.dumps({"AppId": APP_ID, "ServerSecret": SERVER_SECRET})}


@dataclass(frozen=True)
class Servers:
    """Base URLs for each round trip in seconds, and the certificate of the CA that signed the servers' certificates."""

    urls: dict[float, str]
    ca_certificate: str


@contextlib.contextmanager
def serve(folder: Path, *round_trips: float) -> Iterator[Servers]:
    """Run the servers until the block ends: HTTPS at these round trips in seconds, and HTTP without delay at 0."""
    command = [sys.executable, "-m", "benchmarks.servers", str(folder), *map(str, round_trips)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout  # noqa: S101
        try:
            urls = json.loads(process.stdout.readline())
            yield Servers({float(round_trip): url for round_trip, url in urls.items()}, (folder / "ca.pem").read_text())
        finally:
            process.terminate()


async def _handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Respond to the requests of one connection."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            _, _, length = head.partition("content-length: ")
            body = await reader.readexactly(int(length.split("\r\n")[0] or 0))
            document = json.dumps(_response(head, body)).encode()
            header = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(document)}\r\n\r\n"
            writer.write(header.encode() + document)
            await writer.drain()
    writer.close()


def _response(head: str, body: bytes) -> dict[str, Any]:
    if head.startswith("get"):
        return ZIM_RESPONSE
    if "x-amz-target: amazonsqs." in head:
        digest = hashlib.md5(json.loads(body)["MessageBody"].encode(), usedforsecurity=False).hexdigest()
        return {"MessageId": "1", "MD5OfMessageBody": digest}
    return SECRET


async def _relay(port: int, round_trip: float) -> int:
    """Return the port of a relay to another port."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handshake: float) -> None:
        loop = asyncio.get_running_loop()
        earliest = loop.time() + handshake
        parts: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def write() -> None:
            part = b"-"
            while part:
                arrives_at, part = await parts.get()
                await asyncio.sleep(arrives_at - loop.time())
                writer.write(part)
            writer.close()

        writing = asyncio.create_task(write())
        part = b"-"
        while part:
            part = b""
            with contextlib.suppress(ConnectionError):
                part = await reader.read(65536)
            parts.put_nowait((max(loop.time(), earliest) + round_trip / 2, part))
        await writing

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(HOST, port)
        await asyncio.gather(forward(reader, server_writer, round_trip), forward(server_reader, writer, 0))

    return _port(await asyncio.start_server(connect, HOST, 0))


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


async def _main(folder: Path, round_trips: list[float]) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    https = _port(await asyncio.start_server(_handle, HOST, 0, ssl=tls))
    http = _port(await asyncio.start_server(_handle, HOST, 0))
    urls = {value: f"https://localhost:{await _relay(https, value)}" for value in round_trips}
    print(json.dumps({**urls, 0.0: f"http://localhost:{http}"}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), [float(value) for value in sys.argv[2:]]))
