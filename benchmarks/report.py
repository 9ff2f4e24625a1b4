"""Write the measured figures into README.md and the pages of docs/, between the markers that are there for them.

python -m benchmarks.report, after the benchmarks whose results it reads: `make bench` runs them all.
"""

import re
import sys
from collections.abc import Callable
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from benchmarks.memory_size import ROUND_TRIP
from benchmarks.results import load
from local.stack import ROOT

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

QUEUE_REQUESTS = 3
"""To SQS for one message: it is sent, received, deleted."""


def figures() -> str:
    """Return the README's table."""
    document = load("performance")
    seen = document["measured"]
    cold, warm, memory, package = (seen[name] for name in ("cold", "warm", "memory", "package"))
    start, floor, by_sam, a_sync = (cold[name]["median"] for name in ("ours", "floor", "sam", "async"))
    request, least = warm["ours"]["median"], warm["floor"]["median"]
    quick, slow = warm["ours"]["least"], warm["ours"]["most"]
    late, early, floors = memory["ours"]["late"], memory["ours"]["early"], memory["floor"]["late"]
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
            (
                f"{request * MILLISECONDS:.2f} ms ({quick * MILLISECONDS:.2f} to {slow * MILLISECONDS:.2f}): "
                f"{request / least:.2f} × the floor"
            ),
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
        *(
            (
                (
                    f"rate, {name} saturated for 60 s at round trips of 30, 100, 300 ms: the most calls in any second; "
                    "what share of the theory (`make bench-rate`)"
                ),
                (
                    f"{max(each['most_in_a_second'] for each in seen_)}; "
                    f"{', '.join(f'{each["rate"] / each["theory"]:.1%}' for each in seen_)}"
                ),
                f"at most {seen_[0]['calls_per_second']}; at least 95 %",
            )
            for name, seen_ in _loads().items()
        ),
    ]
    return "\n".join(
        [
            (
                f"On {document['date']}, {machine['cores']} shared cores ({machine['model']}), Python "
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


def _loads() -> dict[str, list[dict[str, Any]]]:
    """Return what was measured of HTTPS alone, which comes first of its round trip, and of HTTPS and the queue."""
    measured = load("rate")["measured"]
    alone = {each["round_trip"]: each for each in reversed(measured) if each["load"] == "https"}
    together = [each for each in measured if each["load"] == "https + queue"]
    return {"HTTPS": list(reversed(alone.values())), "HTTPS and queue": together}


def rates() -> str:
    """Return the table of the rates under load."""
    document = load("rate")
    machine = document["machine"]
    rows = [
        (
            name,
            _ms(each["round_trip"]),
            f"{each['calls_per_second']}",
            f"{each['most_in_a_second']}",
            f"{each['refused_by_zim']}",
            f"{each['rate']:.2f}",
            f"{each['rate'] / each['theory']:.1%}",
            " / ".join(f"{each[name] * MILLISECONDS:.0f}" for name in ("p50", "p95", "p99")) + " ms",
            f"{each['load_average_after']:.1f}",
        )
        for name, measured in _loads().items()
        for each in measured
    ]
    return "\n".join(
        [
            f"On {document['date']}, {machine['cores']} shared cores, Python {machine['python']}:",
            "",
            (
                "| load | round trip | limit | most in any second | 660300005 | calls a second | of C / (1 + R) | "
                "p50 / p95 / p99 of the 200s | load average |"
            ),
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
        ]
    )


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


def memory_sizes() -> tuple[int, int]:
    """Return the MB that the template gives the functions behind HTTPS, and the one at the queue."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    queue = template["Resources"]["CallRejectQueueFunction"]["Properties"]["MemorySize"]
    return template["Globals"]["Function"]["MemorySize"], queue


def cost() -> str:
    """Return what a million requests cost, worked out from the measured times."""
    https, queue = memory_sizes()
    warm = {each["size"]: each["warm"] for each in load("memory_size")["measured"]["sizes"]}
    logged = load("performance")["measured"]["logged"] + PLATFORM_LOG_BYTES
    logs = logged / 1e9 * 1e6 * PRICES["CloudWatch Logs, a GB taken in"]
    traces = PRICES["X-Ray, a million traces"]
    rows = [
        ("API Gateway", PRICES["HTTP API, a million requests"], 0.0),
        ("Lambda, requests", PRICES["Lambda, a million requests"], PRICES["Lambda, a million requests"]),
        (
            f"Lambda, {_ms(warm[https])} of {https} MB, {_ms(warm[queue])} of {queue} MB",
            _computing(https, warm[https]),
            _computing(queue, warm[queue]),
        ),
        (f"CloudWatch Logs, {logged / 1000:.1f} KB a request", logs, logs),
        (
            "X-Ray, if every request were traced (it takes the first of each second, and 5 % of the rest)",
            traces,
            traces,
        ),
        ("SQS, three requests a message", 0.0, QUEUE_REQUESTS * PRICES["SQS, a million requests"]),
    ]
    lines = ["| in US dollars | over HTTPS | sent to the queue |", "| --- | --- | --- |"]
    lines += [f"| {what} | {a:.2f} | {b:.2f} |" for what, a, b in rows]
    lines.append(f"| **together** | **{sum(a for _, a, _ in rows):.2f}** | **{sum(b for *_, b in rows):.2f}** |")
    return "\n".join(lines) + "\n"


def tried() -> str:
    """Return what was tried to make a cold start shorter, and what came of it."""
    document = load("tried")
    seen = document["measured"]
    return "\n".join(
        [
            f"On {document['date']}, medians of {seen['rounds']} cold starts, each beside ours of the same round.",
            "",
            f"| variant (`benchmarks/tried.py`) | cold start, × ours ({_ms(seen['ours'])}) |",
            "| --- | --- |",
            *(f"| `{name}` | {ratio:.2f} |" for name, ratio in seen["ratios"].items()),
            "",
        ]
    )


TABLES: dict[str, list[tuple[str, Callable[[], str]]]] = {
    "README.md": [("figures", figures), ("cost", cost)],
    "docs/performance.md": [("sizes", sizes), ("tried", tried)],
    "docs/rate-limit.md": [("rates", rates)],
}


def written(text: str, name: str, table: str) -> str:
    """Return a page's text with a table between its markers."""
    marked = re.compile(rf"(<!-- {name}: written by make bench -->\n).*?(<!-- end -->)", re.DOTALL)
    replaced, number = marked.subn(lambda found: f"{found[1]}\n{table}\n{found[2]}", text)
    if number != 1:
        sys.exit(f"benchmarks.report: the page has {number} places for the table {name}")
    return replaced


def pages() -> dict[str, str]:
    """Return the text that each page should have by what was measured."""
    found = {}
    for page, tables in TABLES.items():
        text = (ROOT / page).read_text()
        for name, table in tables:
            text = written(text, name, table())
        found[page] = text
    return found


def main() -> None:
    """Write the pages."""
    for page, text in pages().items():
        (ROOT / page).write_text(text)
        print(f"Wrote the figures into {page}")


if __name__ == "__main__":
    main()
