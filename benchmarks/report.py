"""Write the measured figures between the markers in docs/performance.md and docs/rate-limit.md.

python -m benchmarks.report

It reads the files in `benchmarks/results/`. `make bench` runs the benchmarks first.
"""

from collections.abc import Callable, Iterable, Sequence

from samtranslator.yaml_helper import yaml_parse

from benchmarks.performance import ZIM_ROUND_TRIPS
from benchmarks.results import load
from local.paths import ROOT

MILLION = 1_000_000
DAYS_30 = 30 * 24 * 3600

# US dollars in us-east-1, published in November 2026, without free tiers.
API_REQUEST = 1.00 / MILLION  # https://aws.amazon.com/api-gateway/pricing/
LAMBDA_REQUEST = 0.20 / MILLION  # https://aws.amazon.com/lambda/pricing/
LAMBDA_GB_SECOND = 0.0000133334
SNAPSTART_CACHE_GB_SECOND = 0.0000015046
SNAPSTART_RESTORE_GB = 0.0001397998
LOGS_GB = 0.50  # https://aws.amazon.com/cloudwatch/pricing/
TRACE = 5.00 / MILLION  # https://aws.amazon.com/xray/pricing/
SQS_REQUEST = 0.40 / MILLION  # https://aws.amazon.com/sqs/pricing/

PLATFORM_LOG_BYTES = 1_000
"""An estimate of what Lambda and API Gateway log for each request, in addition to the function's own lines."""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def milliseconds(seconds: float) -> str:
    """Return a duration in whole milliseconds."""
    return f"{seconds * 1000:.0f} ms"


def cold_starts() -> str:
    """Return the table of cold starts at several distances."""
    document = load("performance")
    machine, measured = document["machine"], document["measured"]
    cold = measured["cold"]
    rows = []
    for round_trip in ZIM_ROUND_TRIPS:
        ours, floor = cold[f"call_reject {round_trip}"], cold[f"floor {round_trip}"]["total"]
        limit = cold["limit"]["total"] + round_trip
        rows.append(
            (
                milliseconds(round_trip),
                milliseconds(ours["init"]),
                milliseconds(ours["first"]),
                f"**{milliseconds(ours['total'])}**",
                milliseconds(limit),
                f"{ours['total'] / limit:.2f} ×",
                milliseconds(floor),
                f"{ours['total'] / floor:.2f} ×",
            )
        )
    head = ["Round trip to ZIM", "INIT", "First invocation", "Total", "The limit", "Total / limit", "The floor"]
    return (
        f"Measured on {document['date']} with {machine['cores']} shared cores ({machine['processor']}) and "
        f"Python {machine['python']}.\nTimes are medians of {measured['rounds']} rounds.\n\n"
        + table([*head, "Total / floor"], rows)
    )


def figures() -> str:
    """Return the table of the other figures: cold start without delay, warm request, package size and memory."""
    measured = load("performance")["measured"]
    cold = {name: figures["total"] for name, figures in measured["cold"].items()}
    ours, floor = measured["warm"]["call_reject"], measured["warm"]["floor"]
    number, package = measured["requests"], measured["package"]
    rows = [
        ("Cold start without TLS and delay", milliseconds(cold["call_reject"]), ""),
        (
            f"Compared with SAM's own build ({milliseconds(cold['sam_build'])})",
            f"{cold['call_reject'] / cold['sam_build']:.2f} ×",
            "at most 0.40 ×",
        ),
        ("Cold start, `/call-reject/async`, with TLS and 5 ms to SQS", milliseconds(cold["call_reject_async"]), ""),
        ("Warm request, processor time", f"{ours['processor'] * 1000:.2f} ms", ""),
        (
            f"Compared with the floor ({floor['processor'] * 1000:.2f} ms)",
            f"{(ours['processor'] - floor['processor']) * 1000:+.2f} ms",
            "at most +4 ms",
        ),
        ("Package, zipped", f"{package['zipped'] / MILLION:.2f} MB", "at most 3.5 MB"),
        ("Package, unzipped", f"{package['unzipped'] / MILLION:.1f} MB", ""),
        (f"Peak memory after {number} requests", f"{ours['peak'] / MILLION:.0f} MB", ""),
        (
            f"Compared with the floor ({floor['peak'] / MILLION:.0f} MB)",
            f"{ours['peak'] / floor['peak']:.2f} ×",
            "at most 1.1 ×",
        ),
        (f"Compared with {number // 10} requests", f"{ours['peak'] / ours['peak_early']:.2f} ×", "no growth"),
    ]
    return table(["Figure", "Measured", "Goal"], rows)


def memory_sizes() -> str:
    """Return the table of memory sizes, with the cost of Lambda's duration."""
    document = load("memory_size")
    measured = document["measured"]
    head = ["Memory", "INIT", "First request", "Warm request", "First / warm", "A million warm requests"]
    head += ["A million cold starts", "INIT, if limited"]
    rows = [
        [
            f"{each['size']} MB",
            *(milliseconds(each[name]) for name in ("init", "first", "warm")),
            f"{each['first'] / each['warm']:.2f} ×",
            f"${MILLION * duration_cost(each['size'], each['warm']):.2f}",
            f"${MILLION * duration_cost(each['size'], each['init'] + each['first']):.2f}",
            milliseconds(each["limited_init"]),
        ]
        for each in measured["sizes"]
    ]
    return (
        f"Measured on {document['date']}: medians of {measured['rounds']} rounds, each with "
        f"{measured['warm_requests']} warm requests.\n\n{table(head, rows)}"
    )


def duration_cost(size: int, seconds: float) -> float:
    """Return the cost of one invocation with `size` MB, without the price of the request."""
    return size / 1024 * seconds * LAMBDA_GB_SECOND


def configured_size() -> int:
    """Return the MB that the template gives all functions."""
    size: int = yaml_parse((ROOT / "template.yaml").read_text())["Globals"]["Function"]["MemorySize"]
    return size


def cost() -> str:
    """Return the cost of a million requests, from the measured times and log sizes."""
    size = configured_size()
    warm = {each["size"]: each["warm"] for each in load("memory_size")["measured"]["sizes"]}
    log_bytes = load("performance")["measured"]["warm"]["call_reject"]["logged"] + PLATFORM_LOG_BYTES
    logs = log_bytes / 1e9 * LOGS_GB
    duration = duration_cost(size, warm[size])
    rows = [
        ("API Gateway", API_REQUEST, 0.0),
        ("Lambda requests", LAMBDA_REQUEST, LAMBDA_REQUEST),
        (f"Lambda duration ({milliseconds(warm[size])} with {size} MB)", duration, duration),
        (f"CloudWatch Logs ({log_bytes / 1000:.1f} KB for each request)", logs, logs),
        ("X-Ray, if every request is traced", TRACE, TRACE),
        ("SQS (send, receive, delete)", 0.0, 3 * SQS_REQUEST),
    ]
    rows.append(("**Total**", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    dollars = [(name, f"{MILLION * direct:.2f}", f"{MILLION * queued:.2f}") for name, direct, queued in rows]
    return table(["US dollars for a million requests", "HTTPS", "Queue"], dollars)


def snap_start() -> str:
    """Return the prices of SnapStart for the functions behind HTTPS."""
    size = configured_size()
    cached = size / 1024 * DAYS_30 * SNAPSTART_CACHE_GB_SECOND
    restored = size / 1024 * 1000 * SNAPSTART_RESTORE_GB
    return table(
        ["SnapStart", "Price", f"With {size} MB"],
        [
            (
                "Cached snapshot of a version",
                f"${SNAPSTART_CACHE_GB_SECOND:.10f} per GB-second",
                f"${cached:.2f} in 30 days",
            ),
            ("Restore", f"${SNAPSTART_RESTORE_GB:.10f} per GB", f"${restored:.2f} per thousand"),
        ],
    )


def rates() -> str:
    """Return the table of rates under load."""
    document = load("rate")
    head = ["Load", "Round trip", "Limit", "Peak in any second", "660300005", "Calls per second", "Of C / (1 + R)"]
    head += ["p50 / p95 / p99 of 200 responses", "Load average"]
    rows = [
        [
            "HTTPS" if each["load"] == "https" else "HTTPS and queue",
            milliseconds(each["round_trip"]),
            each["limit"],
            each["peak"],
            each["rate_limit_errors"],
            f"{each['rate']:.2f}",
            f"{each['rate'] / each['theory']:.1%}",
            " / ".join(f"{each[name] * 1000:.0f}" for name in ("p50", "p95", "p99")) + " ms",
            f"{each['load_average']:.1f}",
        ]
        for each in document["measured"]
    ]
    measurement = f"Measured on {document['date']} with {document['machine']['cores']} shared cores."
    return f"{measurement}\n\n{table(head, rows)}"


PAGES: dict[str, list[Callable[[], str]]] = {
    "docs/performance.md": [cold_starts, figures, memory_sizes, cost, snap_start],
    "docs/rate-limit.md": [rates],
}


def render(page: str) -> str:
    """Return the text of a page with the current figures between its markers."""
    text = (ROOT / page).read_text()
    for write in PAGES[page]:
        begin, end = f"<!-- {write.__name__}: written by make bench -->\n", "<!-- end -->"
        before, marker, rest = text.partition(begin)
        _, end_marker, after = rest.partition(end)
        if not marker or not end_marker:
            raise ValueError(f"{page} has no markers for {write.__name__}")
        text = f"{before}{begin}\n{write()}\n{end}{after}"
    return text


def main() -> None:
    """Write the pages."""
    for page in PAGES:
        (ROOT / page).write_text(render(page))
        print(f"Updated {page}")


if __name__ == "__main__":
    main()
