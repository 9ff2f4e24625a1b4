"""The control routes under /simulator/: set up users, calls and faults, and read the received requests.

Members that ZIM defines have ZIM's names. The simulator's own members are in lower case.
"""

import time
from dataclasses import replace
from typing import Any

from aiohttp import web

from local.zim_simulator.callbacks import RETRY_DELAYS, Destination
from local.zim_simulator.calls import DEFAULT_TIMEOUT_SECONDS, Call, Mode
from local.zim_simulator.control_schemas import (
    APP,
    CALL,
    CALLBACK,
    FAULT,
    INVITATION,
    SETTINGS,
    USERS,
    http_error,
    parse,
)
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
    app = await parse(request, APP)
    request.app[SIMULATOR].zim.apps[app["AppId"]] = app["ServerSecret"]
    return web.Response(status=204)


@routes.post("/simulator/users")
async def _register_users(request: web.Request) -> web.Response:
    users = await parse(request, USERS)
    request.app[SIMULATOR].zim.users.update(users["UserIds"])
    return web.Response(status=204)


@routes.get("/simulator/calls")
async def _list_calls(request: web.Request) -> web.Response:
    now = time.monotonic()
    return web.json_response([call_document(call, now) for call in request.app[SIMULATOR].zim.calls(now)])


@routes.post("/simulator/calls")
async def _ring(request: web.Request) -> web.Response:
    members = await parse(request, CALL)
    zim, now = request.app[SIMULATOR].zim, time.monotonic()
    if zim.call(members.get("CallId", ""), now):
        raise http_error(web.HTTPBadRequest, f"The call {members['CallId']} already exists.")
    timeout = members.get("Timeout", DEFAULT_TIMEOUT_SECONDS)
    call = zim.ring(
        members["Caller"],
        members["Invitees"],
        now,
        call_id=members.get("CallId"),
        timeout=timeout,
        mode=Mode(members.get("Mode", Mode.NORMAL)),
    )
    request.app[SIMULATOR].callbacks.call_created(call, members["Invitees"], timeout)
    return web.json_response(call_document(call, now), status=201)


@routes.get("/simulator/calls/{call_id}")
async def _show_call(request: web.Request) -> web.Response:
    return web.json_response(call_document(*_find(request)))


@routes.post("/simulator/calls/{call_id}/end")
async def _end_call(request: web.Request) -> web.Response:
    call, now = _find(request)
    call.end()
    return web.json_response(call_document(call, now))


@routes.post("/simulator/calls/{call_id}/invite")
async def _invite(request: web.Request) -> web.Response:
    """Invite users to an advanced call under the same CallId, as `callingInvite` of the SDK does."""
    members = await parse(request, INVITATION)
    call, now = _find(request)
    if call.mode is not Mode.ADVANCED or call.is_ended:
        raise http_error(web.HTTPBadRequest, "Users can be invited only to an advanced call that has not ended.")
    timeout = members.get("Timeout", DEFAULT_TIMEOUT_SECONDS)
    request.app[SIMULATOR].zim.invite(call, members["Invitees"], now, timeout)
    request.app[SIMULATOR].callbacks.users_invited(call, members["Invitees"])
    return web.json_response(call_document(call, now))


@routes.put("/simulator/callback")
async def _put_callback(request: web.Request) -> web.Response:
    """Set where callbacks go, as the console of ZEGOCLOUD does."""
    members = await parse(request, CALLBACK)
    request.app[SIMULATOR].callbacks.destination = Destination(
        members["Url"], members["CallbackSecret"], tuple(members.get("RetryDelays", RETRY_DELAYS))
    )
    return web.Response(status=204)


@routes.get("/simulator/callbacks")
async def _list_callbacks(request: web.Request) -> web.Response:
    return web.json_response([vars(delivery) for delivery in request.app[SIMULATOR].callbacks.deliveries])


@routes.get("/simulator/faults")
async def _list_faults(request: web.Request) -> web.Response:
    return web.json_response([vars(fault) for fault in request.app[SIMULATOR].faults.queue])


@routes.post("/simulator/faults")
async def _add_fault(request: web.Request) -> web.Response:
    fault = Fault(**await parse(request, FAULT))
    request.app[SIMULATOR].faults.queue.append(fault)
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
    changes = await parse(request, SETTINGS)
    zim = request.app[SIMULATOR].zim
    zim.settings = replace(zim.settings, **changes)
    return web.json_response(vars(zim.settings))


@routes.get("/simulator/requests")
async def _list_requests(request: web.Request) -> web.Response:
    return web.json_response([vars(record) for record in request.app[SIMULATOR].records])


@routes.delete("/simulator/requests")
async def _clear_requests(request: web.Request) -> web.Response:
    request.app[SIMULATOR].records.clear()
    return web.Response(status=204)


def _find(request: web.Request) -> tuple[Call, float]:
    call_id, now = request.match_info["call_id"], time.monotonic()
    call = request.app[SIMULATOR].zim.call(call_id, now)
    if call is None:
        raise http_error(web.HTTPNotFound, f"The call {call_id} does not exist.")
    return call, now


def call_document(call: Call, now: float) -> dict[str, Any]:
    """Return a call as JSON, as of `now` in seconds of the monotonic clock."""
    seconds_left = {user: invitation.rings_until - now for user, invitation in call.invitations.items()}
    return {
        "CallId": call.call_id,
        "Caller": call.caller,
        "Mode": call.mode,
        "State": call.state,
        "Invitees": {user: invitation.state for user, invitation in call.invitations.items()},
        "SecondsLeft": seconds_left,
        "ExpiresAt": {user: round(time.time() + seconds) for user, seconds in seconds_left.items()},
        "ExtendedData": call.extended_data,
        "RejectedAfter": {user: invitation.rejected_after for user, invitation in call.invitations.items()},
    }
