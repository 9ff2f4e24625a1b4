"""Write the measured figures into README.md and docs/performance.md, between the markers that are there for them.

python -m benchmarks.report, after the benchmarks whose results it reads: `make bench` runs them all.
"""

import re
import sys
from collections.abc import Callable

from benchmarks.memory_size import ROUND_TRIP
from benchmarks.results import load
from local.lambda_runtime import ROOT

MEGABYTE = 1_000_000
MILLISECONDS = 1000

PRICES = {
    "HTTP API, a million requests": 1.00,
    "Lambda, a million requests": 0.20,
    "Lambda arm64, a GB-second": 0.0000133334,
    "SnapStart's cache, a GB-second": 0.0000015046,
    "SnapStart's restore, a GB": 0.0001397998,
    "CloudWatch Logs, a GB taken in": 0.50,
    "X-Ray, a million traces": 5.00,
    "SQS, a million requests": 0.40,
}
"""In US dollars, as AWS published them for us-east-1 in November 2026, without free tiers."""

PLATFORM_LOG_BYTES = 1_000
"""Of one request, beside the function's own lines: Lambda's START, END and REPORT, the API's access log, and the 26
bytes that CloudWatch counts for each of six events. An estimate."""

TRACED = 0.05
"""Of the requests, what X-Ray samples by default, beyond one a second."""

QUEUE_REQUESTS = 3
"""To SQS for one message: it is sent, received, deleted."""


def figures() -> str:
    """Return the README's table."""
    document = load("performance")
    seen = document["measured"]
    cold, warm, memory, package = (seen[name] for name in ("cold", "warm", "memory", "package"))
    start, floor, by_sam, a_sync = (cold[name]["median"] for name in ("ours", "floor", "sam", "async"))
    request, least = warm["ours"]["median"], warm["floor"]["median"]
    late, early, floors = memory["ours"]["late"], memory["ours"]["early"], memory["floor"]["late"]
    rates = [each["rate"] / each["theory"] for each in load("rate")["measured"] if each["load"] == "https"]
    machine = document["machine"]
    rows = [
        (
            "cold first request, from the start of the process to the answer",
            (
                f"{_ms(start)}: {start / by_sam:.2f} × the same sources built by SAM's own build ({_ms(by_sam)}), "
                f"{start / floor:.2f} × the floor ({_ms(floor)})"
            ),
            "at most 0.40 ×, at most 1.15 ×",
        ),
        ("the same for `/async`", f"{_ms(a_sync)}: {a_sync / start:.2f} × `/call-reject`", ""),
        (
            "warm request, processor time of the handler",
            f"{request * MILLISECONDS:.2f} ms: {request / least:.2f} × the floor",
            "under 2 ms, at most 2 ×",
        ),
        (
            "package: layer and functions",
            f"{package['zipped'] / MEGABYTE:.1f} MB zipped, {package['unzipped'] / MEGABYTE:.1f} MB unzipped",
            "at most 4 MB zipped",
        ),
        (
            f"memory: the most resident after {seen['requests']} requests",
            (
                f"{late / MEGABYTE:.0f} MB: {late / floors:.2f} × the floor, {late / early:.2f} × after "
                f"{seen['requests'] // 10}"
            ),
            "at most 1.1 ×, flat",
        ),
        ("rate over HTTPS, of what theory allows (`make bench-rate`)", _range(rates), "at least 95 %"),
    ]
    return "\n".join(
        [
            (
                f"On {document['date']}, {machine['cores']} shared cores ({machine['processor']}), Python "
                f"{machine['python']}; medians of {seen['rounds']}, interleaved. The floor is a handler of ten"
            ),
            "lines with boto3 and requests that does nothing but read the secret and call ZIM, built as ours is.",
            "",
            "| figure | measured | goal |",
            "| --- | --- | --- |",
            *(f"| {figure} | {measured} | {goal} |" for figure, measured, goal in rows),
            "",
        ]
    )


def _ms(seconds: float) -> str:
    return f"{seconds * MILLISECONDS:.0f} ms"


def _range(shares: list[float]) -> str:
    return f"{min(shares) * 100:.1f} to {max(shares) * 100:.1f} %"


def sizes() -> str:
    """Return the table of memory sizes, with what a million requests cost."""
    document = load("memory_size")
    seen = document["measured"]
    round_trip = ROUND_TRIP * MILLISECONDS
    rows = [
        (
            f"{each['size']}",
            _ms(each["cold"]),
            _ms(each["warm"]),
            f"${_computing(each['size'], each['warm']):.2f}",
            f"${_computing(each['size'], each['cold']):.2f}",
        )
        for each in seen["sizes"]
    ]
    return "\n".join(
        [
            f"On {document['date']}, medians of {seen['rounds']} cold starts and {seen['requests']} warm requests",
            f"at a round trip of {round_trip:.0f} ms; the share of the processor simulated by a Linux control group.",
            "",
            "| MB | cold start | warm request | Lambda, a million warm requests | Lambda, a million cold starts |",
            "| --- | --- | --- | --- | --- |",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
        ]
    )


def _computing(size: int, seconds: float) -> float:
    """Return the dollars that a million invocations of so many seconds cost, without the price of a request."""
    return 1e6 * seconds * size / 1024 * PRICES["Lambda arm64, a GB-second"]


def cost() -> str:
    """Return what a million requests cost, worked out from the measured times."""
    https, queue = 1769, 512
    warm = {each["size"]: each["warm"] for each in load("memory_size")["measured"]["sizes"]}
    logged = load("performance")["measured"]["logged"] + PLATFORM_LOG_BYTES
    logs = logged / 1e9 * 1e6 * PRICES["CloudWatch Logs, a GB taken in"]
    traces = TRACED * PRICES["X-Ray, a million traces"]
    rows = [
        ("API Gateway", PRICES["HTTP API, a million requests"], 0.0),
        ("Lambda, requests", PRICES["Lambda, a million requests"], PRICES["Lambda, a million requests"]),
        (
            f"Lambda, {_ms(warm[https])} of {https} MB, {_ms(warm[queue])} of {queue} MB",
            _computing(https, warm[https]),
            _computing(queue, warm[queue]),
        ),
        (f"CloudWatch Logs, {logged / 1000:.1f} KB a request", logs, logs),
        (f"X-Ray, {TRACED:.0%} of the requests", traces, traces),
        ("SQS, three requests a message", 0.0, QUEUE_REQUESTS * PRICES["SQS, a million requests"]),
    ]
    lines = ["| in US dollars | over HTTPS | sent to the queue |", "| --- | --- | --- |"]
    lines += [f"| {what} | {a:.2f} | {b:.2f} |" for what, a, b in rows]
    lines.append(f"| **together** | **{sum(a for _, a, _ in rows):.2f}** | **{sum(b for *_, b in rows):.2f}** |")
    return "\n".join(lines) + "\n"


def tried() -> str:
    """Return what was tried to make a cold start shorter, and what came of it."""
    document = load("tried")
    seen = document["measured"]["cold"]
    ours = seen.pop("ours")
    return "\n".join(
        [
            f"On {document['date']}, medians of {document['measured']['rounds']} cold starts, interleaved.",
            "",
            f"| variant (`benchmarks/tried.py`) | cold start, × ours ({_ms(ours)}) |",
            "| --- | --- |",
            *(f"| `{name}` | {seconds / ours:.2f} |" for name, seconds in seen.items()),
            "",
        ]
    )


TABLES: dict[str, list[tuple[str, Callable[[], str]]]] = {
    "README.md": [("figures", figures), ("cost", cost)],
    "docs/performance.md": [("sizes", sizes), ("tried", tried)],
}


def written(text: str, name: str, table: str) -> str:
    """Return a page's text with a table between its markers."""
    marked = re.compile(rf"(<!-- {name}: written by make bench -->\n).*?(<!-- end -->)", re.DOTALL)
    replaced, number = marked.subn(lambda found: f"{found[1]}\n{table}\n{found[2]}", text)
    if number != 1:
        sys.exit(f"benchmarks.report: the page has {number} places for the table {name}")
    return replaced


def pages() -> dict[str, tuple[str, str]]:
    """Return each page as it is, and as it should be by what was measured."""
    found: dict[str, tuple[str, str]] = {}
    for page, tables in TABLES.items():
        is_ = should = (ROOT / page).read_text()
        for name, table in tables:
            should = written(should, name, table())
        found[page] = is_, should
    return found


def main() -> None:
    """Write the pages."""
    for page, (_, should) in pages().items():
        (ROOT / page).write_text(should)
        print(f"Wrote the figures into {page}")


if __name__ == "__main__":
    main()
