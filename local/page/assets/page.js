// The page polls the simulator that serves it, and calls the deployed API at the URLs that the simulator knows.

const SHOWN_RESPONSES = 20;
const SHOWN_SECONDS = 60;
const STATUS_MILLISECONDS = 10_000;
// Browsers open at most 6 connections per host. More requests would only wait in the browser.
const CONCURRENT_REQUESTS = 6;

const UNEXPECTED = "502 UnexpectedZimResponse";

/** Faults: a name, the expected response of POST /call-reject, and the fault to set in the simulator. */
const FAULTS = [
  { name: "Rate limit exceeded", result: "429 RateLimited", fault: { kind: "code", code: 660300005 } },
  { name: "Server busy", result: "503 ZimUnavailable", fault: { kind: "code", code: 1 } },
  { name: "Wrong signature", result: "502 ZimConfigurationError", fault: { kind: "code", code: 100000005 } },
  { name: "User not registered", result: "422 UserNotRegistered", fault: { kind: "code", code: 660500002 } },
  { name: "Call not found", result: "404 CallNotFound", fault: { kind: "code", code: 660900004 } },
  { name: "Undocumented return code", result: UNEXPECTED, fault: { kind: "code", code: 4711 } },
  { name: "Response delayed by 2 seconds", result: "200", fault: { kind: "slow", seconds: 2 } },
  { name: "No response", result: "504 ZimTimeout", fault: { kind: "hang" } },
  { name: "Connection closed", result: "502 ZimUnreachable", fault: { kind: "cut_before" } },
  { name: "Response truncated", result: UNEXPECTED, fault: { kind: "cut_middle" } },
  { name: "One byte per second", result: "504 ZimTimeout", fault: { kind: "drip", seconds: 1 } },
  { name: "HTML page", result: UNEXPECTED, fault: { kind: "html" } },
  { name: "HTTP status 500", result: UNEXPECTED, fault: { kind: "http_500" } },
  { name: "Redirect", result: UNEXPECTED, fault: { kind: "redirect" } },
  { name: "JSON without Code", result: UNEXPECTED, fault: { kind: "no_code" } },
  { name: "JSON array", result: UNEXPECTED, fault: { kind: "not_object" } },
  { name: "100 MB response", result: UNEXPECTED, fault: { kind: "huge" } },
];

const $ = (id) => document.getElementById(id);
const clone = (template) => $(template).content.firstElementChild.cloneNode(true);

let statusTimer = 0;

/** Shows a message at the bottom of the screen, which screen readers announce. */
function showStatus(message) {
  clearTimeout(statusTimer);
  $("status").textContent = message;
  statusTimer = setTimeout(() => { $("status").textContent = ""; }, STATUS_MILLISECONDS);
}

/** Sets an element's text if it differs, so that selections and screen readers are not disturbed. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sends a request to the simulator and returns the JSON of its response. Throws the simulator's error message. */
async function send(method, url, body) {
  const headers = method === "GET" ? {} : { "X-Call-Reject": "1" };
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) {
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    throw new Error(isJson ? JSON.parse(text).error : `HTTP status ${response.status}`);
  }
  return text ? JSON.parse(text) : null;
}

let stack = null;  // the URLs of the deployed stack
const tokens = new Map();
const depths = [];

function showStack(urls) {
  stack = "CallRejectUrl" in urls ? urls : null;
  $("notice").hidden = stack !== null;
  setText($("notice"), stack ? "" : "No stack is deployed, so calls cannot be declined. Run make run to deploy one.");
  for (const figure of document.querySelectorAll(".of-stack")) figure.hidden = !stack;
  for (const button of document.querySelectorAll(".needs-stack")) button.disabled = !stack;
}

async function tokenFor(user) {
  const url = `${stack.TokenUrl}?${new URLSearchParams({ user })}`;  // a restarted stack has another URL
  if (!tokens.has(url)) tokens.set(url, (await send("GET", url)).token);
  return tokens.get(url);
}

/** Sends the request that an app sends to decline an invitation. */
function decline(url, call, user) {
  const request = { CallId: call.CallId, Reason: "decline" };
  if ($("expires").checked) request.ExpiresAt = call.ExpiresAt[user];
  return post(url, request, user);
}

/** Sends a request to decline a call, and shows the request and the response. */
async function post(url, members, user) {
  const entry = clone("response");
  const [title, request, response] = ["summary", ".request", ".response"].map((part) => entry.querySelector(part));
  const path = new URL(url).pathname;
  entry.querySelector(".again").addEventListener("click", () => post(url, members, user));
  try {
    const token = await tokenFor(user);
    const body = JSON.stringify(members);
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    title.textContent = `POST ${path}: waiting …`;
    request.textContent = `POST ${url}\nAuthorization: Bearer ${token.slice(0, 12)}… (token for ${user})\n` +
      `Content-Type: ${headers["Content-Type"]}\n\n${body}`;
    for (const older of $("responses").children) older.open = false;
    $("responses").prepend(entry);
    while ($("responses").children.length > SHOWN_RESPONSES) $("responses").lastElementChild.remove();

    const started = performance.now();
    const received = await fetch(url, { method: "POST", headers, body });
    if (received.status === 401) tokens.clear();  // they have expired
    const text = await received.text();
    const milliseconds = Math.round(performance.now() - started);
    const status = `${received.status} ${received.statusText}`.trim();
    const headerLines = [...received.headers].map(([name, value]) => `${name}: ${value}\n`).join("");
    title.textContent = `POST ${path}: ${status} in ${milliseconds} ms`;
    response.textContent = `${status}\n${headerLines}\n${text}`;
    entry.className = received.ok ? "good" : "bad";
    showStatus(`Call ${members.CallId}: ${status} in ${milliseconds} ms`);
  } catch (error) {
    title.textContent = `POST ${path}: no response`;
    response.textContent = String(error);
    entry.className = "bad";
    showStatus(`No response: ${error.message}`);
  }
  await refresh();
}

const rows = new Map();

/** Updates the table of calls. Rows that remain keep their element and with it the focus. */
function showCalls(calls) {
  const keys = new Set();
  let previous = null;
  for (const call of calls) {
    for (const [user, state] of Object.entries(call.Invitees)) {
      const key = `${call.CallId} ${user}`;
      keys.add(key);
      if (!rows.has(key)) rows.set(key, newRow(call, user));
      const row = rows.get(key);
      const badge = row.querySelector(".state");
      setText(badge, state);
      badge.className = `state ${state.replace(" ", "-")}`;
      setText(row.querySelector(".left"), state === "ringing" ? `${Math.ceil(call.SecondsLeft[user])} s` : "");
      const continues = ["ringing", "in progress"].includes(call.State);
      row.querySelector(".hang-up").disabled = !continues;
      row.querySelector(".invite").hidden = call.Mode !== "advanced";
      row.querySelector(".invite").disabled = state === "ringing" || !continues;
      row.call = call;
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
  onClick(".https", () => decline(stack.CallRejectUrl, row.call, user));
  onClick(".through-queue", () => decline(stack.CallRejectAsyncUrl, row.call, user));
  onClick(".invite", () => perform("User invited again.", () =>
    send("POST", `/simulator/calls/${encodeURIComponent(id)}/invite`, { Invitees: [user], Timeout: Number($("seconds").value) })));
  onClick(".hang-up", () => perform("Call ended.", () =>
    send("POST", `/simulator/calls/${encodeURIComponent(id)}/end`)));
  return row;
}

/** Draws one bar per second, the newest on the right, and the limit as a line. */
function draw(svg, bars, limit) {
  const top = 1.15 * Math.max(limit ?? 0, 1, ...bars.map((bar) => bar.total));
  svg.setAttribute("viewBox", `0 0 ${SHOWN_SECONDS} ${top}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const shape = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
    return element;
  };
  const offset = SHOWN_SECONDS - bars.length;
  const shapes = [];
  bars.forEach((bar, second) => {
    const rectangle = (height, attributes) => {
      if (height) shapes.push(shape("rect", { x: offset + second + 0.1, width: 0.8, y: top - height, height, ...attributes }));
    };
    rectangle(bar.total);
    rectangle(bar.rate_limited, { class: "rate-limited" });
  });
  if (limit !== undefined) shapes.push(shape("line", { x1: 0, x2: SHOWN_SECONDS, y1: top - limit, y2: top - limit }));
  svg.replaceChildren(...shapes);
}

function showRate({ requests_by_second: seconds, most_in_a_second: most, settings }) {
  const limited = seconds.reduce((sum, second) => sum + second.rate_limited, 0);
  draw($("rate"), seconds, settings.calls_per_second);
  setText($("rate-text"), `now ${seconds.at(-1).total}, maximum ${most}, limit ${settings.calls_per_second}` +
    (limited ? `, ${limited} over the limit` : ""));
}

async function showDepths() {
  try {
    depths.push(await send("GET", stack.QueuesUrl));
  } catch (error) {
    setText($("queue-text"), `unavailable (${error.message})`);
    return;
  }
  depths.splice(0, depths.length - SHOWN_SECONDS);
  for (const [name, id] of [["queue", "queue"], ["dead_letters", "dead-letters"]]) {
    draw($(id), depths.map((depth) => ({ total: depth[name].waiting + depth[name].in_flight })));
    const { waiting, in_flight: inFlight } = depths.at(-1)[name];
    setText($(`${id}-text`), `${waiting + inFlight}${inFlight ? `, ${inFlight} in flight` : ""}`);
  }
}

for (const entry of FAULTS) {
  const item = clone("fault");
  item.querySelector(".name").textContent = entry.name;
  item.querySelector(".result").textContent = entry.result;
  entry.input = item.querySelector("input");
  entry.input.addEventListener("change", () => {
    const on = entry.input.checked;
    perform(`${entry.name}: ${on ? "on" : "off"}`, async () => {
      await send("DELETE", "/simulator/faults");
      if (on) await send("POST", "/simulator/faults", { ...entry.fault, times: null });
    });
  });
  $("faults").append(item);
}
$("faults-off").addEventListener("click", () => perform("Faults turned off.", () => send("DELETE", "/simulator/faults")));

function showFaults([next]) {
  let name = next?.kind;
  for (const entry of FAULTS) {
    entry.input.checked = next !== undefined && Object.entries(entry.fault).every(([member, value]) => next[member] === value);
    if (entry.input.checked) name = entry.name;
  }
  setText($("fault-state"), next ? `Active: ${name}${next.times ? `, for ${next.times} more requests` : ""}.` : "No active fault.");
}

function showSettings(settings) {
  if ($("settings").contains(document.activeElement)) return;
  for (const input of $("settings").querySelectorAll("input, select")) input.value = settings[input.name];
}

/** Performs an action in the simulator, shows a message or the error, and refreshes the page. */
async function perform(message, action) {
  try {
    await action();
    showStatus(message);
  } catch (error) {
    showStatus(error.message);
  }
  await refresh();
}

$("start").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = Object.fromEntries(new FormData(event.target));
  const users = form.users.split(",").map((user) => user.trim());
  const count = Number(form.count);
  perform(count > 1 ? `${count} calls started.` : "Call started.", async () => {
    for (let started = 0; started < count; started += 1) {
      await send("POST", "/simulator/calls", {
        Caller: form.caller,
        // Each call is to other users, because the API limits the requests of one user.
        Invitees: started ? users.map((user) => `${user}-${started + 1}`) : users,
        Timeout: Number(form.seconds),
        Mode: form.mode,
      });
    }
  });
});

$("settings").addEventListener("submit", (event) => {
  event.preventDefault();
  const settings = [...new FormData(event.target)].map(([name, value]) => [name, isNaN(value) ? value : Number(value)]);
  perform("Settings saved.", () => send("PATCH", "/simulator/settings", Object.fromEntries(settings)));
});

async function declineAll(url) {
  const ringing = latest.calls.flatMap((call) =>
    Object.entries(call.Invitees).filter(([, state]) => state === "ringing").map(([user]) => [call, user]));
  if (!ringing.length) showStatus("No call is ringing.");
  const worker = async () => {
    while (ringing.length) await decline(url, ...ringing.shift());
  };
  await Promise.all(Array.from({ length: CONCURRENT_REQUESTS }, worker));
}
$("all").addEventListener("click", () => declineAll(stack.CallRejectUrl));
$("all-queue").addEventListener("click", () => declineAll(stack.CallRejectAsyncUrl));

let latest = { calls: [] };
let lastRequested = 0;
let lastShown = 0;

/** Shows the current state, unless the response to a later request is already shown. */
async function refresh() {
  lastRequested += 1;
  const number = lastRequested;
  try {
    const overview = await send("GET", "overview");
    if (number < lastShown) return;
    lastShown = number;
    latest = overview;
    showStack(latest.stack);
    showCalls(latest.calls);
    setText($("states"), Object.entries(latest.states).map(([state, count]) => `${count} ${state}`).join(", ") || "No calls yet.");
    showRate(latest);
    showFaults(latest.faults);
    showSettings(latest.settings);
  } catch (error) {
    $("notice").hidden = false;
    setText($("notice"), `The simulator does not respond (${error.message}). Check that make run is running.`);
  }
}

/** Refreshes the page every second while it is visible. */
async function poll() {
  if (!document.hidden) {
    await refresh();
    if (stack) await showDepths();
  }
  setTimeout(poll, 1000);
}
document.addEventListener("visibilitychange", () => document.hidden || refresh());
poll();
