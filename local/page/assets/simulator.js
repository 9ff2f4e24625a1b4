// Requests to the simulator that serves this page, and its state, which the page polls.

import { $, say, setText } from "./dom.js";

const POLL_MILLISECONDS = 1000;
const BUSY_POLL_MILLISECONDS = 250;

/** Sends a request to a local server and returns the JSON of its response. Throws the server's error message. */
export async function send(method, url, body) {
  const headers = method === "GET" ? {} : { "X-Call-Reject": "1" };
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) {
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    throw new Error(isJson ? JSON.parse(text).error : `HTTP status ${response.status}`);
  }
  return text ? JSON.parse(text) : null;
}

/** Starts a call, and returns it as the simulator shows it. */
export const startCall = (caller, users, seconds, mode = "normal") =>
  send("POST", "/simulator/calls", { Caller: caller, Invitees: users, Timeout: seconds, Mode: mode });

const listeners = [];
let current = null;
let next = null;

/** Calls a function with each new overview of the simulator's state. */
export const subscribe = (listener) => listeners.push(listener);

async function load() {
  try {
    const overview = await send("GET", "overview");
    await Promise.all(listeners.map((listener) => listener(overview)));
  } catch (error) {
    $("notice").hidden = false;
    setText($("notice"), `The simulator does not respond (${error.message}). Check that make run is running.`);
  }
}

/** Gets an overview that is newer than this call, and shows it. Calls during a request share the next one. */
export function refresh() {
  if (!current) {
    current = load().finally(() => { current = null; });
    return current;
  }
  next ??= current.then(() => {
    next = null;
    return refresh();
  });
  return next;
}

/** Performs an action in the simulator, shows a message or the error in an output element, and refreshes the page. */
export async function perform(output, message, action) {
  try {
    const result = await action();
    say(output, typeof message === "function" ? message(result) : message);
  } catch (error) {
    say(output, error.message);
  }
  await refresh();
}

/** Refreshes the page while it is visible, more often while `isBusy` returns true. */
export function poll(isBusy) {
  const repeat = async () => {
    if (!document.hidden) await refresh();
    setTimeout(repeat, isBusy() ? BUSY_POLL_MILLISECONDS : POLL_MILLISECONDS);
  };
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  repeat();
}
