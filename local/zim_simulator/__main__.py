"""Run the simulator on its own: `python -m local.zim_simulator --port 8600`."""

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
    """Run until SIGINT or SIGTERM. If a port or the file cannot be used, print the reason and exit with status 1."""
    parser = argparse.ArgumentParser(prog="python -m local.zim_simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="HTTP port (default: %(default)s)")
    parser.add_argument("--https-port", type=int, help="HTTPS port (default: no HTTPS)")
    parser.add_argument("--ca-file", type=Path, help="file to write the CA certificate for HTTPS to, as PEM")
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


if __name__ == "__main__":
    main()
