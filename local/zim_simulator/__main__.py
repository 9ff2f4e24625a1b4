"""Run the simulator by itself: `python -m local.zim_simulator --port 8600`."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from local.zim_simulator.server import CannotListenError, listening
from local.zim_simulator.state import Simulator
from local.zim_simulator.zim import APP_ID, SERVER_SECRET

DEFAULT_PORT = 8600


def main() -> None:
    """Serve until SIGINT or SIGTERM comes; exit with a sentence and status 1 where that is not possible."""
    parser = argparse.ArgumentParser(prog="python -m local.zim_simulator", description=__doc__)
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="for HTTP (default: %(default)s)")
    parser.add_argument("--https-port", type=_port, help="for HTTPS, which is off without it")
    parser.add_argument("--ca-file", type=Path, help="where to write the PEM of the authority behind HTTPS")
    parser.add_argument("--app-id", type=int, default=APP_ID, help="default: %(default)s")
    parser.add_argument("--server-secret", default=SERVER_SECRET, help="default: %(default)s")
    options = parser.parse_args()
    try:
        asyncio.run(_serve(options))
    except CannotListenError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"Cannot write {options.ca_file}: {error.strerror}.")


async def _serve(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    simulator = Simulator(options.app_id, options.server_secret)
    async with listening(simulator, options.port, options.https_port, options.ca_file) as addresses:
        urls = " and ".join(filter(None, (addresses.url, addresses.https_url)))
        print(f"The ZIM simulator listens on {urls} for AppId {options.app_id}.", flush=True)
        await stopped.wait()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**16:
        raise argparse.ArgumentTypeError(f"{text} is not a port, a number from 0 to 65535")
    return int(text)


if __name__ == "__main__":
    main()
