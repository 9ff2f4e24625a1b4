"""The rate limit when environments are lost: some killed under load, and all replaced by a second `sam deploy`.

python -m benchmarks.rate_kill [--round-trip 100] [--json FILE]

The emulator runs each environment as a process of its own, which this kills (Linux only: it looks in /proc).
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.load import LOADS
from benchmarks.rate import MILLISECONDS, run
from local import emulator_gaps
from local.processes import LocalError, free_port
from local.processes import run as run_command
from local.stack import SAM, STACK_NAME, Stack, aws_environment, deployed
from local.zim_simulator.return_codes import Code
from local.zim_simulator.state import Record, most_in_a_second

LOAD = LOADS["https"]
KILLS = 12
PAUSE_SECONDS = 4.0
"""Between two kills: every second sees one of them at most."""

SETTLE_SECONDS = 15.0
LONGEST_SECONDS = 120.0
"""For which there are requests."""


@dataclass(frozen=True)
class Lost:
    """What was seen of a load during which environments were lost.

    `bound` is what was worked out as the most calls in any second, `most_before` what was counted in any second before
    the first loss, and `most_after` in any that began less than a second before a loss or later, until the next one.
    `connections` are those that made calls in the fullest second, one for each environment. `first_calls` are the
    seconds until a new environment made its first call, from each kill, or from the last call of those replaced.
    """

    what: str
    calls_per_second: int
    bound: int
    most_before: int
    most_after: list[int]
    connections: int
    first_calls: list[float]
    refused_by_zim: int
    calls: int
    answers: dict[str, int]
    load_average_after: float


def kill_some(stack: Stack) -> list[float]:
    """Kill one environment after the other, each once; return when, in seconds of the monotonic clock."""
    moments = list[float]()
    started = set(stack.environments(LOAD.logical_id))
    deadline = time.monotonic() + LONGEST_SECONDS
    while len(moments) < KILLS and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
        # Not one that may still be starting: for that, the emulator ends all the others too.
        now = set(stack.environments(LOAD.logical_id))
        if running := started & now:
            os.kill(random.choice(list(running)), signal.SIGKILL)  # noqa: S311 - no secret
            moments.append(time.monotonic())
        started = now
    time.sleep(PAUSE_SECONDS)
    if len(moments) < KILLS:
        raise LocalError(f"Only {len(moments)} environments were there to be killed in {LONGEST_SECONDS:.0f} s.")
    return moments


def deploy_again(stack: Stack) -> list[float]:
    """Deploy with another LogLevel, which replaces all environments; return when that began."""
    time.sleep(PAUSE_SECONDS)
    began = time.monotonic()
    arn = stack.client("secretsmanager").describe_secret(SecretId="zim")["ARN"]
    parameters = [f"ZimSecretArn={arn}", f"ZimApiBaseUrl={stack.simulator_url}", "LogLevel=WARNING"]
    command: list[str | Path] = [SAM, "deploy", "--stack-name", STACK_NAME, "--no-confirm-changeset"]
    environment = {**aws_environment(stack.emulator_url), "TMPDIR": stack.log}
    log = Path(stack.log) / "deploy-again.log"
    run_command([*command, "--parameter-overrides", *parameters], environment=environment, log=log)
    emulator_gaps.close(stack.client, STACK_NAME)
    time.sleep(SETTLE_SECONDS)
    return [began]


def measure(stack: Stack, what: str, lose: Callable[[Stack], list[float]], round_trip: float) -> Lost:
    """Saturate the HTTPS function, lose environments meanwhile, and return what was seen."""
    limit = LOAD.limit(stack)
    moments: list[float] = []
    seen = run(stack, [LOAD], round_trip, LONGEST_SECONDS, lambda _: moments.extend(lose(stack)))
    LOAD.limit(stack)  # Still reserved.
    arrivals = [record.monotonic for record in seen.records]
    edges = [0.0, *(moment - 1 for moment in moments), float("inf")]
    counts = [most_in_a_second([at for at in arrivals if low <= at < high + 1]) for low, high in pairwise(edges)]
    fullest = max(arrivals, key=lambda start: sum(start <= at < start + 1 for at in arrivals))
    share = limit.calls_per_second // limit.environments
    return Lost(
        what=what,
        calls_per_second=limit.calls_per_second,
        bound=share * (limit.environments + (1 if lose is kill_some else limit.environments)),
        most_before=most_in_a_second([at for at in arrivals if at < moments[0]]),
        most_after=counts[1:],
        connections=len({each.connection for each in seen.records if fullest <= each.monotonic < fullest + 1}),
        first_calls=_first_calls(seen.records, moments),
        refused_by_zim=sum(record.code == Code.RATE_LIMIT_EXCEEDED for record in seen.records),
        calls=len(arrivals),
        answers=dict(Counter(answer.said for answer in seen.answers[LOAD.name]).most_common()),
        load_average_after=os.getloadavg()[0],
    )


def _first_calls(records: Sequence[Record], lost: Sequence[float]) -> list[float]:
    first: dict[int, float] = {}
    for record in records:
        first.setdefault(record.connection, record.monotonic)
    new = sorted(at for at in first.values() if at > lost[0])
    if len(lost) == 1:
        lost = [max(record.monotonic for record in records if first[record.connection] <= lost[0])]
    return [round(at - since, 2) for at, since in zip(new, lost, strict=False)]


def show(lost: Lost) -> None:
    """Print what was seen."""
    print(f"{lost.what}: limit {lost.calls_per_second}, worked out: at most {lost.bound}")
    print(f"  most in a second {lost.most_before} before, {max(lost.most_after)} after (each loss: {lost.most_after})")
    print(f"  {lost.connections} environments in the fullest second; a new one's first call {lost.first_calls} s later")
    print(f"  660300005: {lost.refused_by_zim} of {lost.calls} calls; load average {lost.load_average_after:.1f}")
    print(f"  answers {', '.join(f'{said}: {number}' for said, number in lost.answers.items())}")


def main(arguments: Sequence[str]) -> int:
    """Measure both, and return 1 if more calls came in a second than was worked out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rate_kill", description=__doc__)
    parser.add_argument("--round-trip", type=float, default=100.0, help="to ZIM and back, in milliseconds")
    parser.add_argument("--json", type=Path, help="a file to write everything to")
    options = parser.parse_args(arguments)
    round_trip = options.round_trip / MILLISECONDS
    try:
        with deployed(free_port(), free_port()) as stack:
            killed = measure(stack, "one environment killed at a time", kill_some, round_trip)
            show(killed)
            replaced = measure(stack, "a second deploy", deploy_again, round_trip)
            show(replaced)
    except LocalError as error:
        print(f"benchmarks.rate_kill: {error}", file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps([asdict(killed), asdict(replaced)], indent=2) + "\n")
    return 0 if all(max(each.most_after) <= each.bound for each in (killed, replaced)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
