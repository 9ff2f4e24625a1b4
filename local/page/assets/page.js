// The page for people who try it. The simulator is asked by relative URLs, the deployed stack by the URLs it was told.

const SHOWN_ANSWERS = 20;
const SHOWN_SECONDS = 60;
const SAID_MILLISECONDS = 10_000;
/** As many as a browser lets out to one host at once; a request's time would else be the time that it waited here. */
const REQUESTS_AT_ONCE = 6;
const EXTENDED_DATA = JSON.stringify({ reason: "decline" });

/** What may be wrong with ZIM, how the simulator is told, and what the deployed API makes of it over HTTPS. */
const FAULTS = [
  { name: "Over the rate limit", gives: "429 RateLimited", fault: { kind: "code", code: 660300005 } },
  { name: "Servers are busy", gives: "503 ZimInTrouble", fault: { kind: "code", code: 1 } },
  { name: "The signature is wrong", gives: "502 ZimRefusesUs", fault: { kind: "code", code: 100000005 } },
  { name: "The user is not registered", gives: "422 UserNotRegistered; through the queue a dead letter",
    fault: { kind: "code", code: 660500002 } },
  { name: "The call cannot be found", gives: "404 CallNotFound", fault: { kind: "code", code: 660900004 } },
  { name: "A code that nobody documented", gives: "502 UnexpectedAnswer", fault: { kind: "code", code: 4711 } },
  { name: "Answers two seconds late", gives: "200, two seconds late", fault: { kind: "slow", seconds: 2 } },
  { name: "Does not answer", gives: "504 ZimTimeout, after some seconds", fault: { kind: "hang" } },
  { name: "Cuts the connection", gives: "502 ZimUnreachable", fault: { kind: "cut_before" } },
  { name: "Cuts the answer in two", gives: "502 UnexpectedAnswer", fault: { kind: "cut_middle" } },
  { name: "Answers byte by byte", gives: "504 ZimTimeout, after some seconds", fault: { kind: "drip", seconds: 1 } },
  { name: "Answers with a web page", gives: "502 UnexpectedAnswer", fault: { kind: "html" } },
  { name: "Answers with status 500", gives: "502 UnexpectedAnswer", fault: { kind: "http_500" } },
  { name: "Redirects elsewhere", gives: "502 UnexpectedAnswer", fault: { kind: "redirect" } },
  { name: "Answers without Code", gives: "502 UnexpectedAnswer", fault: { kind: "no_code" } },
  { name: "Answers with an array", gives: "502 UnexpectedAnswer", fault: { kind: "not_object" } },
  { name: "Answers with 100 MB", gives: "502 UnexpectedAnswer", fault: { kind: "huge" } },
];

const $ = (id) => document.getElementById(id);
const copy = (template) => $(template).content.firstElementChild.cloneNode(true);

let silence = 0;

/** Says what came of something, at the foot of the screen and to screen readers, for a while. */
function say(text) {
  clearTimeout(silence);
  $("status").textContent = text;
  silence = setTimeout(() => { $("status").textContent = ""; }, SAID_MILLISECONDS);
}

/** Sets a text only where it changes, so that nothing is drawn, read out or unselected in vain. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Asks the simulator, or what `make run` adds to it, and gives the JSON of the answer. */
async function ask(method, url, body) {
  const answer = await fetch(url, { method, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text ? JSON.parse(text) : null;
}

/** What an error says: the simulator's sentence where it sent one. */
function reason(error) {
  try {
    return JSON.parse(error.message).error;
  } catch {
    return error.message;
  }
}

// The deployed stack: null until one is known.
let stack = null;
const tokens = new Map();
const depths = [];

function showStack(found) {
  stack = "CallRejectUrl" in found ? found : null;
  $("notice").hidden = stack !== null;
  write($("notice"), stack ? "" : "No stack is deployed beside this simulator, so nothing can be declined here: make run starts both.");
  for (const figure of document.querySelectorAll(".of-stack")) figure.hidden = !stack;
  for (const button of document.querySelectorAll(".needs-stack")) button.disabled = !stack;
}

async function tokenOf(user) {
  // By the whole address: the issuer of a stack that was started anew is another.
  const url = `${stack.TokenUrl}?${new URLSearchParams({ user })}`;
  if (!tokens.has(url)) tokens.set(url, (await ask("GET", url)).token);
  return tokens.get(url);
}

/** Sends the request that an app would send, and shows it and its answer as they are. */
async function decline(url, call, user) {
  const shown = copy("answer");
  const [title, request, response] = ["summary", ".request", ".response"].map((part) => shown.querySelector(part));
  const path = new URL(url).pathname;
  try {
    const token = await tokenOf(user);
    const body = JSON.stringify({ CallId: call, ExtendedData: EXTENDED_DATA });
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    title.textContent = `POST ${path}: waiting …`;
    request.textContent = `POST ${url}\nAuthorization: Bearer ${token.slice(0, 12)}… (a token of ${user})\n` +
      `Content-Type: ${headers["Content-Type"]}\n\n${body}`;
    for (const older of $("answers").children) older.open = false;
    $("answers").prepend(shown);
    while ($("answers").children.length > SHOWN_ANSWERS) $("answers").lastElementChild.remove();

    const started = performance.now();
    const answer = await fetch(url, { method: "POST", headers, body });
    if (answer.status === 401) tokens.clear();  // they last for half a day
    const text = await answer.text();
    const milliseconds = Math.round(performance.now() - started);
    const outcome = `${answer.status} ${answer.statusText}`.trim();
    title.textContent = `POST ${path}: ${outcome} in ${milliseconds} ms`;
    response.textContent = `${outcome}\n${[...answer.headers].map(([name, value]) => `${name}: ${value}\n`).join("")}\n${text}`;
    shown.className = answer.ok ? "good" : "bad";
    say(`${outcome} for the call ${call}, in ${milliseconds} ms.`);
  } catch (error) {
    title.textContent = `POST ${path}: no answer`;
    response.textContent = String(error);
    shown.className = "bad";
    say(`No answer: ${error.message}`);
  }
  await refresh();
}

const rows = new Map();

/** Makes the table show these calls; a row that stays keeps its element, and with it the focus. */
function showCalls(calls) {
  const shown = calls.flatMap((call) => Object.entries(call.Invitees).map(([user, state]) => ({ call, user, state })));
  const keys = new Set();
  let before = null;
  for (const { call, user, state } of shown) {
    const key = `${call.CallId} ${user}`;
    keys.add(key);
    if (!rows.has(key)) rows.set(key, newRow(call, user));
    const row = rows.get(key);
    const [badge, left] = [row.querySelector(".state"), row.querySelector(".left")];
    write(badge, state);
    badge.className = `state ${state.replace(" ", "-")}`;
    write(left, state === "ringing" ? `${Math.ceil(call.SecondsLeft)} s` : "");
    row.querySelector(".hang-up").disabled = state !== "ringing";
    const place = before ? before.nextElementSibling : $("calls").firstElementChild;
    if (place !== row) $("calls").insertBefore(row, place);
    before = row;
  }
  for (const [key, row] of rows) {
    if (!keys.has(key)) {
      row.remove();
      rows.delete(key);
    }
  }
}

function newRow(call, user) {
  const row = copy("call");
  const id = call.CallId;
  row.querySelector(".id").textContent = id;
  row.querySelector(".who").textContent = `${call.Caller} rings ${user}`;
  const act = (name, action) => {
    const button = row.querySelector(name);
    button.setAttribute("aria-label", `${button.textContent}: call ${id} of ${user}`);
    button.addEventListener("click", action);
    if (button.classList.contains("needs-stack")) button.disabled = !stack;
  };
  act(".https", () => decline(stack.CallRejectUrl, id, user));
  act(".through-queue", () => decline(stack.CallRejectAsyncUrl, id, user));
  act(".hang-up", () => tell(`${call.Caller} has hung up.`, () =>
    ask("POST", `/simulator/calls/${encodeURIComponent(id)}/end`)));
  return row;
}

/** Draws one bar for each second, the newest on the right, and the limit as a line. */
function draw(svg, bars, limit) {
  const top = 1.15 * Math.max(limit ?? 0, 1, ...bars.map((bar) => bar.all));
  svg.setAttribute("viewBox", `0 0 ${SHOWN_SECONDS} ${top}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const shape = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
    return element;
  };
  const offset = SHOWN_SECONDS - bars.length;
  const drawn = bars.flatMap(({ all, refused = 0 }, second) => [
    shape("rect", { x: offset + second + 0.1, width: 0.8, y: top - all, height: all }),
    shape("rect", { x: offset + second + 0.1, width: 0.8, y: top - all, height: refused, class: "refused" }),
  ].filter((rect) => Number(rect.getAttribute("height")) > 0));
  if (limit !== undefined) drawn.push(shape("line", { x1: 0, x2: SHOWN_SECONDS, y1: top - limit, y2: top - limit }));
  svg.replaceChildren(...drawn);
}

function showRate({ arrivals, most_in_a_second: most, settings }) {
  const refused = arrivals.reduce((sum, second) => sum + second.refused, 0);
  draw($("rate"), arrivals, settings.calls_per_second);
  write($("rate-text"), `now ${arrivals.at(-1).all}, at most ${most} in any second, ${settings.calls_per_second} allowed` +
    (refused ? `; ${refused} refused` : ""));
}

async function showDepths() {
  try {
    depths.push(await ask("GET", stack.QueuesUrl));
  } catch (error) {
    write($("queue-text"), `cannot be seen (${error.message})`);
    return;
  }
  depths.splice(0, depths.length - SHOWN_SECONDS);
  for (const [name, id] of [["queue", "queue"], ["dead_letters", "dead-letters"]]) {
    draw($(id), depths.map((depth) => ({ all: depth[name].waiting + depth[name].in_flight })));
    const { waiting, in_flight: inFlight } = depths.at(-1)[name];
    write($(`${id}-text`), `${waiting + inFlight}${inFlight ? `, ${inFlight} of them in work or waiting for the next try` : ""}`);
  }
}

const switches = FAULTS.map((kind) => {
  const item = copy("fault");
  item.querySelector(".name").textContent = kind.name;
  item.querySelector(".gives").textContent = kind.gives;
  const input = item.querySelector("input");
  input.addEventListener("change", () => {
    const on = input.checked;
    tell(`${kind.name}: ${on ? "on" : "off"}.`, async () => {
      await ask("DELETE", "/simulator/faults");
      if (on) await ask("POST", "/simulator/faults", { ...kind.fault, times: null });
    });
  });
  $("faults").append(item);
  return { input, kind };
});
$("faults-off").addEventListener("click", () => tell("No fault is on.", () => ask("DELETE", "/simulator/faults")));

function showFaults([next]) {
  let name = next?.kind;
  for (const { input, kind } of switches) {
    input.checked = next !== undefined && Object.entries(kind.fault).every(([member, value]) => next[member] === value);
    if (input.checked) name = kind.name;
  }
  write($("fault-state"), next ? `On: ${name}${next.times ? `, ${next.times} more` : ""}.` : "No fault is on.");
}

function showSettings(settings) {
  if ($("settings").contains(document.activeElement)) return;
  for (const input of $("settings").querySelectorAll("input")) input.value = settings[input.name];
}

/** Does something at the simulator, says what came of it, and shows it. */
async function tell(done, action) {
  try {
    await action();
    say(done);
  } catch (error) {
    say(reason(error));
  }
  await refresh();
}

$("ring").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = Object.fromEntries(new FormData(event.target));
  const call = { Caller: given.caller, Invitees: [given.user], Timeout: Number(given.seconds) };
  const count = Number(given.count);
  tell(`${given.caller} rings ${given.user}${count > 1 ? `, ${count} times` : ""}.`, async () => {
    for (let rung = 0; rung < count; rung += 1) await ask("POST", "/simulator/calls", call);
  });
});

$("settings").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = [...new FormData(event.target)].map(([name, value]) => [name, Number(value)]);
  tell("The settings are set.", () => ask("PATCH", "/simulator/settings", Object.fromEntries(given)));
});

async function declineAll(url) {
  const ringing = latest.calls.flatMap((call) =>
    Object.entries(call.Invitees).filter(([, state]) => state === "ringing").map(([user]) => [call.CallId, user]));
  if (!ringing.length) say("No call is ringing.");
  const next = async () => {
    while (ringing.length) await decline(url, ...ringing.shift());
  };
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, next));
}
$("all").addEventListener("click", () => declineAll(stack.CallRejectUrl));
$("all-queue").addEventListener("click", () => declineAll(stack.CallRejectAsyncUrl));

let latest = { calls: [] };
let asked = 0;
let shown = 0;

/** Shows how things stand now, unless what was asked for later is already shown. */
async function refresh() {
  asked += 1;
  const turn = asked;
  try {
    const overview = await ask("GET", "overview");
    if (turn < shown) return;
    shown = turn;
    latest = overview;
    showStack(latest.stack);
    showCalls(latest.calls);
    write($("states"), Object.entries(latest.states).map(([state, count]) => `${count} ${state}`).join(", ") || "No call yet.");
    showRate(latest);
    showFaults(latest.faults);
    showSettings(latest.settings);
  } catch (error) {
    $("notice").hidden = false;
    write($("notice"), `The simulator does not answer (${error.message}): is make run still running?`);
  }
}

/** Once a second, unless nobody looks. */
async function watch() {
  if (!document.hidden) {
    await refresh();
    if (stack) await showDepths();
  }
  setTimeout(watch, 1000);
}
document.addEventListener("visibilitychange", () => document.hidden || refresh());
watch();
