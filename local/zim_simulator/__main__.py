"""Run the simulator on its own: `python -m local.zim_simulator --port 8600`."""

import argparse
import asyncio
import signal
import sys

from local.zim_simulator.server import listening


def main() -> None:
    """Run until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m local.zim_simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=8600, help="HTTP port (default: %(default)s)")
    try:
        asyncio.run(_serve(parser.parse_args().port))
    except OSError as error:
        sys.exit(str(error))


async def _serve(port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with listening(port) as addresses:
        print(f"The ZIM simulator listens on {addresses.url}.", flush=True)
        await stopped.wait()


if __name__ == "__main__":
    main()
