// The calls in the simulator: the form that starts them, and the table.

import { $, clone, duration, say, setText, updateMore } from "./dom.js";
import { decline, declineAll, stack } from "./api.js";
import { perform, send, startCall, subscribe } from "./simulator.js";

const message = $("start-message");
const rows = new Map();
let latest = [];

/** Returns the values of the form that starts calls. */
export function callForm() {
  const { caller, users, seconds, count, mode } = Object.fromEntries(new FormData($("start")));
  const callees = users.split(",").map((user) => user.trim()).filter(Boolean);
  return { caller, users: callees, seconds: Number(seconds), count: Number(count), mode };
}

/** Updates the table. Rows that remain keep their element and with it the focus. */
function showCalls(calls) {
  const keys = new Set();
  let previous = null;
  for (const call of calls) {
    for (const [user, state] of Object.entries(call.Invitees)) {
      const key = `${call.CallId} ${user}`;
      keys.add(key);
      if (!rows.has(key)) rows.set(key, newRow(call, user));
      const row = rows.get(key);
      row.call = call;
      showState(row, user, state);
      const place = previous ? previous.nextElementSibling : $("calls").firstElementChild;
      if (place !== row) $("calls").insertBefore(row, place);
      previous = row;
    }
  }
  for (const [key, row] of rows) {
    if (!keys.has(key)) {
      row.remove();
      rows.delete(key);
    }
  }
  updateMore($("calls"));
}

/** Shows the state of an invitation, and only the actions that it allows. */
function showState(row, user, state) {
  const { call } = row;
  const badge = row.querySelector(".state");
  setText(badge, state);
  badge.className = `state ${state.replace(" ", "-")}`;
  const details = {
    ringing: `${Math.ceil(call.SecondsLeft[user])} s`,
    rejected: `after ${duration(call.RejectedAfter[user] * 1000)}`,
  };
  setText(row.querySelector(".left"), details[state] ?? "");
  const continues = ["ringing", "in progress"].includes(call.State);
  // An app can decline an invitation that has timed out, because a push notification can be late.
  const canDecline = ["ringing", "timed out"].includes(state);
  const visible = {
    https: canDecline,
    "through-queue": canDecline,
    invite: call.Mode === "advanced" && state !== "ringing" && continues,
    "hang-up": continues,
  };
  for (const [name, isVisible] of Object.entries(visible)) {
    const button = row.querySelector(`.${name}`);
    if (!isVisible && button === document.activeElement) row.querySelector("th").focus();
    button.hidden = !isVisible;
  }
}

function newRow(call, user) {
  const row = clone("call");
  const id = call.CallId;
  row.querySelector(".id").textContent = id;
  row.querySelector(".who").textContent = `${call.Caller} calls ${user}`;
  const onClick = (selector, action) => {
    const button = row.querySelector(selector);
    button.setAttribute("aria-label", `${button.textContent}: call ${id} to ${user}`);
    button.addEventListener("click", action);
    if (button.classList.contains("needs-stack")) button.disabled = !stack;
  };
  const declineAt = (url) => decline(url, row.call, user).catch((error) => say(message, error.message));
  onClick(".https", () => declineAt(stack.CallRejectUrl));
  onClick(".through-queue", () => declineAt(stack.CallRejectAsyncUrl));
  const path = `/simulator/calls/${encodeURIComponent(id)}`;
  onClick(".invite", () => perform(message, `${user} is invited again.`, () =>
    send("POST", `${path}/invite`, { Invitees: [user], Timeout: callForm().seconds })));
  onClick(".hang-up", () => perform(message, "The caller hung up.", () => send("POST", `${path}/end`)));
  return row;
}

$("start").addEventListener("submit", (event) => {
  event.preventDefault();
  const { caller, users, seconds, count, mode } = callForm();
  perform(message, count > 1 ? `${count} calls started.` : "Call started.", async () => {
    for (let started = 0; started < count; started += 1) {
      // Each call is to other users, because the API limits the requests of one user.
      await startCall(caller, started ? users.map((user) => `${user}-${started + 1}`) : users, seconds, mode);
    }
  });
});

function declineRinging(url) {
  const ringing = latest.flatMap((call) =>
    Object.entries(call.Invitees).filter(([, state]) => state === "ringing").map(([user]) => [call, user]));
  declineAll(url, ringing).catch((error) => say(message, error.message));
}
$("all").addEventListener("click", () => declineRinging(stack.CallRejectUrl));
$("all-queue").addEventListener("click", () => declineRinging(stack.CallRejectAsyncUrl));

subscribe(({ calls, states }) => {
  latest = calls;
  showCalls(calls);
  setText($("states"), Object.entries(states).map(([state, count]) => `${count} ${state}`).join(", ") || "No calls yet.");
  for (const button of document.querySelectorAll(".needs-stack")) {
    button.disabled = !stack || (button.classList.contains("needs-ringing") && !states.ringing);
  }
});
