"""The page's routes under /page/, which the simulator serves: its files, what it shows, and the API reference.

A stack in AWS's place is known here by four URLs alone, which whoever deployed it says (`local.page.stack`).
"""

import json
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from aiohttp import web
from jinja2 import Environment, FileSystemLoader

from local.zim_simulator.control import call_document
from local.zim_simulator.control_input import Rule, members
from local.zim_simulator.return_codes import Code
from local.zim_simulator.state import SIMULATOR, Record, most_in_a_second

ASSETS = Path(__file__).parent / "assets"
OPENAPI = Path(__file__).resolve().parents[2] / "openapi.yaml"
SHOWN_SECONDS = 60
SHOWN_CALLS = 50

STACK = web.AppKey("STACK", dict[str, str])
_URL: Rule = (lambda value: isinstance(value, str) and urlsplit(value).scheme == "http", "a URL")
_STACK_MEMBERS = dict.fromkeys(("CallRejectUrl", "CallRejectAsyncUrl", "TokenUrl", "QueuesUrl"), _URL)

routes = web.RouteTableDef()


def is_for_page(request: web.Request) -> bool:
    """Tell a person's browser at the bare address from a client of ZIM's API, which asks with a query."""
    return request.method == "GET" and not request.query_string and "text/html" in request.headers.get("Accept", "")


@routes.get("/page/")
async def _show_page(_: web.Request) -> web.FileResponse:
    return web.FileResponse(ASSETS / "index.html")


@routes.get("/page/overview")
async def _show_overview(request: web.Request) -> web.Response:
    """Answer with all that changes on the page, in one small document for each second."""
    simulator, now = request.app[SIMULATOR], time.monotonic()
    calls = simulator.zim.calls(now)
    recent = []
    for record in reversed(simulator.records):
        if record.monotonic <= now - SHOWN_SECONDS:
            break
        recent.append(record)
    document = {
        "calls": [call_document(call, now) for call in calls[: -SHOWN_CALLS - 1 : -1]],
        "states": Counter(call.state for call in calls),
        "arrivals": _by_second(recent, now),
        "most_in_a_second": most_in_a_second([record.monotonic for record in reversed(recent)]),
        "faults": [vars(fault) for fault in simulator.faults.coming],
        "settings": vars(simulator.zim.settings),
        "stack": request.app[STACK],
    }
    return web.json_response(document, headers={"Cache-Control": "no-store"})


@routes.put("/page/stack")
async def _put_stack(request: web.Request) -> web.Response:
    request.app[STACK].update(await members(request, _STACK_MEMBERS, *_STACK_MEMBERS))
    return web.Response(status=204)


@routes.get("/page/reference.html")
async def _show_reference(request: web.Request) -> web.Response:
    api = yaml.safe_load(OPENAPI.read_text())
    page = _TEMPLATES.get_template("reference.html.jinja").render(
        api=api, part=partial(_part, api), url=request.app[STACK].get("CallRejectUrl", "").removesuffix("/call-reject")
    )
    return web.Response(text=page, content_type="text/html")


routes.static("/page", ASSETS)


def _by_second(records: list[Record], now: float) -> list[dict[str, Any]]:
    """Count the arrivals of each second up to the one that is now; `refused` are those that ZIM called too many."""
    all_of_them = Counter(int(record.monotonic) for record in records)
    refused = Counter(int(record.monotonic) for record in records if record.code == Code.RATE_LIMIT_EXCEEDED)
    seconds = range(int(now) - SHOWN_SECONDS + 1, int(now) + 1)
    return [{"all": all_of_them[second], "refused": refused[second]} for second in seconds]


def _part(api: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Give the part of the document that a node refers to, or the node itself if it refers to none."""
    for name in node.get("$ref", "").split("/")[1:]:
        api = api[name]
    return api if "$ref" in node else node


def _as_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
_TEMPLATES.filters["json"] = _as_json
