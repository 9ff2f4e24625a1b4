// The stories that one button tells: one call, and a burst.

import { $, duration, setText, shortId } from "./dom.js";
import { decline, declineAll, stack } from "./api.js";
import { callForm } from "./calls.js";
import { refresh, send, startCall, subscribe } from "./simulator.js";

const RING_MILLISECONDS = 1200;
const BURST = 50;
const BURST_RINGS_SECONDS = 90;

const story = $("story");
const drain = $("drain");
let throttled = [];  // the calls of the latest burst that can be sent through the queue, as pairs of a call and a user
let draining = null;

const wait = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

function tell(text, meaning = "") {
  setText(story, text);
  story.className = `story ${meaning}`;
}

/** Runs a story with its buttons disabled, and tells the error if it fails. */
async function run(action) {
  const buttons = [$("ring-and-decline"), $("burst"), drain];
  for (const button of buttons) button.setAttribute("aria-disabled", "true");
  try {
    await action();
  } catch (error) {
    tell(error.message, "server");
  }
  for (const button of buttons) button.removeAttribute("aria-disabled");
}

function onClick(button, action) {
  button.addEventListener("click", () => {
    if (!button.hasAttribute("aria-disabled") && $("start").reportValidity()) run(action);
  });
}

onClick($("ring-and-decline"), async () => {
  const { caller, users: [user], seconds } = callForm();
  tell(`${caller} calls ${user} …`);
  const call = await startCall(caller, [user], seconds);
  await refresh();
  tell(`${caller} calls ${user}. The phone rings …`);
  await wait(RING_MILLISECONDS);
  const getState = async () => (await send("GET", `/simulator/calls/${encodeURIComponent(call.CallId)}`)).State;
  if (await getState() === "rejected") {
    tell(`Call ${shortId(call.CallId)} is already rejected by “Do not disturb” or by another client.`, "success");
    return;
  }
  tell(`${user} declines. The app sends POST /call-reject …`);
  const { result: { outcome, milliseconds } } = await decline(stack.CallRejectUrl, call, user);
  const state = await getState();
  const response = `the API responded ${outcome.name} after ${duration(milliseconds)}`;
  tell(`${user} declined, ${outcome.meaning === "success" ? "and" : "but"} ${response}${outcome.detail ? `: ${outcome.detail}` : "."} ` +
    `Call ${shortId(call.CallId)} ${state === "ringing" ? "was still" : "is now"} ${state} in ZIM.`, outcome.meaning);
});

/** Counts the outcomes of requests: "11 rejected, 39 throttled". */
function count(requests) {
  const counts = new Map([["rejected", 0]]);
  for (const { result: { outcome } } of requests) {
    let name = outcome.name;
    if (outcome.meaning === "success") name = "rejected";
    else if (outcome.isThrottled) name = "throttled";
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([name, number]) => `${number} ${name}`).join(", ");
}

onClick($("burst"), async () => {
  drain.hidden = true;
  draining = null;
  tell(`${BURST} calls start …`);
  const { caller, users: [user] } = callForm();
  const pairs = [];
  // Each call is to another user, because the API limits the requests of one user.
  for (let started = 1; started <= BURST; started += 1) {
    const name = `${user}-${started}`;
    pairs.push([await startCall(caller, [name], BURST_RINGS_SECONDS), name]);
  }
  await refresh();
  tell(`${BURST} users decline at the same time …`);
  const requests = await declineAll(stack.CallRejectUrl, pairs);
  const retryable = new Set(requests.filter(({ result }) => result.outcome.meaning === "retry").map(({ callId }) => callId));
  throttled = pairs.filter(([call]) => retryable.has(call.CallId));
  const limit = stack.Parameters?.ApiConcurrency;
  tell(`${count(requests)}${limit ? `: the API serves ${limit} requests at a time` : ""}.` +
    (throttled.length ? " The queue accepts them all." : ""), throttled.length ? "retry" : "success");
  drain.textContent = `Send the other ${throttled.length} through the queue`;
  drain.hidden = !throttled.length;
});

onClick(drain, async () => {
  const started = performance.now();
  tell(`${throttled.length} requests go to the queue …`);
  const requests = await declineAll(stack.CallRejectAsyncUrl, throttled);
  const accepted = requests.filter(({ result }) => result.outcome.meaning === "success").map(({ callId }) => callId);
  drain.hidden = true;
  $("burst").focus();
  draining = { ids: new Set(accepted), sent: requests.length, rejected: new Set(), started };
  await refresh();
});

/** Tells how many calls the worker has rejected since a burst went to the queue. */
subscribe(({ calls }) => {
  if (!draining) return;
  const { ids, sent, rejected, started } = draining;
  for (const { CallId: id, State: state } of calls) if (ids.has(id) && state === "rejected") rejected.add(id);
  const isComplete = rejected.size === ids.size;
  tell(`The queue accepted ${ids.size} of ${sent}. ` + (isComplete
    ? `ZIM rejected them all within ${duration(performance.now() - started)}.`
    : `ZIM has rejected ${rejected.size} so far, within the rate limit.`), isComplete ? "success" : "");
  if (isComplete) draining = null;
});
