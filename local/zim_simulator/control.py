"""The routes under /simulator/, by which people and tests arrange what happens and see what happened.

Members are named as ZIM names them where it has them; what is the simulator's own is in lower case.
"""

import time
from dataclasses import replace
from typing import Any

from aiohttp import web

from local.zim_simulator.calls import DEFAULT_TIMEOUT_SECONDS, Call, State
from local.zim_simulator.control_input import APP, CALL, FAULT, SETTINGS, USERS, members, refusal
from local.zim_simulator.faults import Fault
from local.zim_simulator.state import SIMULATOR

routes = web.RouteTableDef()


@routes.get("/simulator/health")
async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


@routes.post("/simulator/reset")
async def _reset(request: web.Request) -> web.Response:
    request.app[SIMULATOR].reset()
    return web.Response(status=204)


@routes.put("/simulator/app")
async def _put_app(request: web.Request) -> web.Response:
    given = await members(request, APP, "AppId", "ServerSecret")
    request.app[SIMULATOR].zim.apps[given["AppId"]] = given["ServerSecret"]
    return web.Response(status=204)


@routes.get("/simulator/users")
async def _list_users(request: web.Request) -> web.Response:
    return web.json_response(sorted(request.app[SIMULATOR].zim.users))


@routes.post("/simulator/users")
async def _register_users(request: web.Request) -> web.Response:
    given = await members(request, USERS, "UserIds")
    request.app[SIMULATOR].zim.users.update(given["UserIds"])
    return web.Response(status=204)


@routes.get("/simulator/calls")
async def _list_calls(request: web.Request) -> web.Response:
    now = time.monotonic()
    return web.json_response([call_document(call, now) for call in request.app[SIMULATOR].zim.calls(now)])


@routes.post("/simulator/calls")
async def _ring(request: web.Request) -> web.Response:
    given = await members(request, CALL, "Caller", "Invitees")
    zim, now = request.app[SIMULATOR].zim, time.monotonic()
    if zim.call(given.get("CallId", ""), now):
        raise refusal(web.HTTPBadRequest, "CallId", "CallId must be new: there is a call of this id.")
    timeout = given.get("Timeout", DEFAULT_TIMEOUT_SECONDS)
    call = zim.ring(given["Caller"], given["Invitees"], now, call_id=given.get("CallId"), timeout=timeout)
    return web.json_response(call_document(call, now), status=201)


@routes.get("/simulator/calls/{call_id}")
async def _show_call(request: web.Request) -> web.Response:
    return web.json_response(call_document(*_find(request)))


@routes.post("/simulator/calls/{call_id}/end")
async def _end_call(request: web.Request) -> web.Response:
    call, now = _find(request)
    call.stop_ringing(State.ENDED)
    return web.json_response(call_document(call, now))


@routes.get("/simulator/faults")
async def _list_faults(request: web.Request) -> web.Response:
    return web.json_response([vars(fault) for fault in request.app[SIMULATOR].faults.coming])


@routes.post("/simulator/faults")
async def _add_fault(request: web.Request) -> web.Response:
    fault = Fault(**await members(request, FAULT, "kind"))
    request.app[SIMULATOR].faults.coming.append(fault)
    return web.json_response(vars(fault), status=201)


@routes.delete("/simulator/faults")
async def _clear_faults(request: web.Request) -> web.Response:
    request.app[SIMULATOR].faults.clear()
    return web.Response(status=204)


@routes.get("/simulator/settings")
async def _show_settings(request: web.Request) -> web.Response:
    return web.json_response(vars(request.app[SIMULATOR].zim.settings))


@routes.patch("/simulator/settings")
async def _change_settings(request: web.Request) -> web.Response:
    changes = await members(request, SETTINGS)
    zim = request.app[SIMULATOR].zim
    zim.settings = replace(zim.settings, **changes)
    return web.json_response(vars(zim.settings))


@routes.get("/simulator/requests")
async def _list_requests(request: web.Request) -> web.Response:
    return web.json_response([vars(record) for record in request.app[SIMULATOR].records])


@routes.delete("/simulator/requests")
async def _clear_requests(request: web.Request) -> web.Response:
    request.app[SIMULATOR].clear_records()
    return web.Response(status=204)


def _find(request: web.Request) -> tuple[Call, float]:
    call_id, now = request.match_info["call_id"], time.monotonic()
    call = request.app[SIMULATOR].zim.call(call_id, now)
    if call is None:
        raise refusal(web.HTTPNotFound, "CallId", f"There is no call {call_id}.")
    return call, now


def call_document(call: Call, now: float) -> dict[str, Any]:
    """Describe a call as it stands at `now` (monotonic seconds)."""
    return {
        "CallId": call.call_id,
        "Caller": call.caller,
        "Timeout": call.timeout,
        "State": call.state,
        "SecondsLeft": call.rings_until - now if call.state is State.RINGING else 0,
        "Invitees": call.invitees,
        "ExtendedData": call.extended_data,
    }
