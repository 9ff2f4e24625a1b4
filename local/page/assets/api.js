// Requests to the deployed API, as an app sends them.

import { $, setText } from "./dom.js";
import { outcomeOf } from "./outcomes.js";
import { refresh, send, subscribe } from "./simulator.js";

// Browsers open at most 6 connections per host. More requests would only wait in the browser.
const CONCURRENT_REQUESTS = 6;
const KEPT_REQUESTS = 200;
// The browser's clock has a resolution of milliseconds.
const TOLERANCE_SECONDS = 0.01;

/** The URLs and parameters of the deployed stack, or null. */
export let stack = null;

const tokens = new Map();
const sendListeners = [];
const arrivalListeners = [];
const sent = [];
let lastArrival = Date.now() / 1000;

subscribe((overview) => {
  stack = "CallRejectUrl" in overview.stack ? overview.stack : null;
  $("notice").hidden = stack !== null;
  setText($("notice"), stack ? "" : "No stack is deployed, so calls cannot be declined. Run make run to deploy one.");
  for (const arrival of overview.arrivals.filter(({ at }) => at > lastArrival)) {
    lastArrival = arrival.at;
    const request = requestOf(arrival);
    request?.arrivals.push(arrival);
    for (const listener of arrivalListeners) listener(arrival, request);
  }
});

/** Calls a function with each request that is sent. */
export const onSend = (listener) => sendListeners.push(listener);

/** Calls a function with each request that ZIM receives, and with this page's request to the API if it is the cause. */
export const onArrival = (listener) => arrivalListeners.push(listener);

/** Returns the request that caused an arrival at ZIM: the latest that was in flight, or that is on the queue. */
function requestOf({ call_id: callId, at }) {
  return sent.findLast((request) => request.callId === callId && request.sentAt <= at + TOLERANCE_SECONDS &&
    (request.isQueued || !request.endedAt || at <= request.endedAt + TOLERANCE_SECONDS));
}

async function tokenFor(user) {
  const url = `${stack.TokenUrl}?${new URLSearchParams({ user })}`;  // a restarted stack has another URL
  if (!tokens.has(url)) tokens.set(url, (await send("GET", url)).token);
  return tokens.get(url);
}

async function receive(url, headers, body) {
  const started = performance.now();
  try {
    const response = await fetch(url, { method: "POST", headers, body });
    if (response.status === 401) tokens.clear();  // they have expired
    const text = await response.text();
    const status = `${response.status} ${response.statusText}`.trim();
    const headerLines = [...response.headers].map(([name, value]) => `${name}: ${value}\n`).join("");
    return {
      milliseconds: performance.now() - started,
      text: `${status}\n${headerLines}\n${text}`,
      outcome: outcomeOf(response, text),
    };
  } catch (error) {
    return { milliseconds: performance.now() - started, text: String(error), outcome: outcomeOf(null, String(error)) };
  }
}

function callIdIn(text) {
  try {
    return String(JSON.parse(text).CallId ?? "");
  } catch {
    return "";  // the body is not JSON
  }
}

/**
 * Sends a request with a token for a user, and returns it with its response.
 *
 * `body` is an object, or text to send as it is.
 */
export async function post(url, body, user) {
  const token = await tokenFor(user);
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const request = {
    url,
    body,
    user,
    callId: callIdIn(text),
    isQueued: url === stack.CallRejectAsyncUrl,
    sentAt: Date.now() / 1000,
    text: `POST ${url}\nAuthorization: Bearer ${token.slice(0, 12)}… (token for ${user})\n` +
      `Content-Type: ${headers["Content-Type"]}\n\n${text}`,
    arrivals: [],
    response: receive(url, headers, text),
  };
  sent.push(request);
  sent.splice(0, sent.length - KEPT_REQUESTS);
  for (const listener of sendListeners) listener(request);
  request.result = await request.response;
  request.endedAt = Date.now() / 1000;
  refresh();
  return request;
}

/** Sends the request of an app in which a user declines a call. */
export function decline(url, call, user) {
  const body = { CallId: call.CallId, Reason: "decline" };
  if ($("expires").checked) body.ExpiresAt = call.ExpiresAt[user];
  return post(url, body, user);
}

/** Declines calls, given as pairs of a call and a user, as fast as the browser can. Returns the requests. */
export async function declineAll(url, pairs) {
  const waiting = [...pairs];
  const requests = [];
  const worker = async () => {
    while (waiting.length) requests.push(await decline(url, ...waiting.shift()));
  };
  await Promise.all(Array.from({ length: CONCURRENT_REQUESTS }, worker));
  return requests;
}
