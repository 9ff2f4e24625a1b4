"""The page's routes under /page/: its files, the data that it shows, and the API reference.

The page learns the URLs of a deployed stack from `local.page.stack`.
"""

import json
import time
from collections import Counter
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from jinja2 import Environment, FileSystemLoader

from local.paths import OPENAPI
from local.zim_simulator.control import call_document
from local.zim_simulator.control_schemas import PAGE_STACK, parse
from local.zim_simulator.return_codes import Code
from local.zim_simulator.state import SIMULATOR, Record, most_in_a_second

ASSETS = Path(__file__).parent / "assets"
SHOWN_SECONDS = 60
SHOWN_CALLS = 100
ARRIVAL_SECONDS = 5
"""Longer than the time between two requests of the page."""
UNIX_OFFSET_SECONDS = time.time() - time.monotonic()

STACK = web.AppKey("STACK", dict[str, Any])

routes = web.RouteTableDef()


def is_page_request(request: web.Request) -> bool:
    """Return whether a request to / comes from a browser. Requests to ZIM's API have a query string."""
    return request.method == "GET" and not request.query_string and "text/html" in request.headers.get("Accept", "")


@routes.get("/page/")
async def _show_page(_: web.Request) -> web.FileResponse:
    return web.FileResponse(ASSETS / "index.html")


@routes.get("/page/overview")
async def _show_overview(request: web.Request) -> web.Response:
    """Return everything that changes on the page. The page requests it every second."""
    simulator, now = request.app[SIMULATOR], time.monotonic()
    calls = simulator.zim.calls(now)
    recent = []
    for record in reversed(simulator.records):
        if record.monotonic <= now - SHOWN_SECONDS:
            break
        recent.append(record)
    overview = {
        "calls": [call_document(call, now) for call in calls[: -SHOWN_CALLS - 1 : -1]],
        "states": Counter(call.state for call in calls),
        "requests_by_second": _by_second(recent, now),
        "arrivals": _arrivals(recent, now),
        "most_in_a_second": most_in_a_second([record.monotonic for record in reversed(recent)]),
        "faults": [vars(fault) for fault in simulator.faults.queue],
        "settings": vars(simulator.zim.settings),
        "stack": request.app[STACK],
        "sends_callbacks": simulator.callbacks.destination is not None,
    }
    return web.json_response(overview, headers={"Cache-Control": "no-store"})


@routes.put("/page/stack")
async def _put_stack(request: web.Request) -> web.Response:
    request.app[STACK].update(await parse(request, PAGE_STACK))
    return web.Response(status=204)


@routes.get("/page/reference.html")
async def _show_reference(request: web.Request) -> web.Response:
    api = yaml.safe_load(OPENAPI.read_text())
    url = request.app[STACK].get("CallRejectUrl", "").removesuffix("/call-reject")
    html = _TEMPLATES.get_template("reference.html.jinja").render(
        api=api, resolve=partial(_resolve, api), url=url, problems=_problems(api), problem_name=_problem_name
    )
    return web.Response(text=html, content_type="text/html")


routes.static("/page", ASSETS)


def _by_second(records: list[Record], now: float) -> list[dict[str, int]]:
    """Count the requests, and those above ZIM's rate limit, in each of the last `SHOWN_SECONDS` seconds."""
    total = Counter(int(record.monotonic) for record in records)
    limited = Counter(int(record.monotonic) for record in records if record.code == Code.RATE_LIMIT_EXCEEDED)
    seconds = range(int(now) - SHOWN_SECONDS + 1, int(now) + 1)
    return [{"total": total[second], "rate_limited": limited[second]} for second in seconds]


def _arrivals(newest_first: list[Record], now: float) -> list[dict[str, Any]]:
    """Return the latest requests, oldest first; `at` is in Unix seconds."""
    latest = takewhile(lambda record: record.monotonic > now - ARRIVAL_SECONDS, newest_first)
    return [
        {"call_id": record.parameters.get("CallId"), "at": UNIX_OFFSET_SECONDS + record.monotonic, "code": record.code}
        for record in reversed(list(latest))
    ]


def _resolve(api: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Return the part of the document that a `$ref` node refers to, or the node if it has no `$ref`."""
    if "$ref" not in node:
        return node
    for name in node["$ref"].split("/")[1:]:
        api = api[name]
    return api


def _problem_name(problem: dict[str, Any]) -> str:
    return str(problem["type"]).rpartition(":")[2]


def _problems(api: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the first example of each type of problem in the responses, ordered by status."""
    problems: dict[str, dict[str, Any]] = {}
    for methods in api["paths"].values():
        for operation in methods.values():
            for response in operation["responses"].values():
                for example in response["content"].get("application/problem+json", {}).get("examples", {}).values():
                    problems.setdefault(example["value"]["type"], example["value"])
    return sorted(problems.values(), key=lambda problem: int(problem["status"]))


def _to_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
_TEMPLATES.filters["json"] = _to_json
