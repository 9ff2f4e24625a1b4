// The picture of the path of a request. Each request is a dot.
//
// The page knows when it sends a request, when ZIM's simulator receives it (from the overview), and when the response
// arrives. A dot waits before the rate limit until one of the last two happens. Dots pass behind the boxes. The page
// knows about a request of another client only when the simulator receives it.

import { $, setText, shape } from "./dom.js";
import { onArrival, onSend } from "./api.js";
import { MEANINGS } from "./outcomes.js";
import { subscribe } from "./simulator.js";

const MOVE_MILLISECONDS = 280;
const SHOWN_MILLISECONDS = 1000;
const NARROW_PIXELS = 640;
const SPREAD_PIXELS = 22;
const DOT_PIXELS = 22;
const SHOWN_WAITING = 5;

/** Places: the step from the phone to ZIM, the lane, and the label if it has a box. */
const PLACES = {
  phone: { step: 0, lane: 0, label: "Phone" },
  api: { step: 1, lane: 0, label: "API" },
  limit: { step: 3, lane: 0, label: "Rate limit" },
  zim: { step: 4, lane: 0, label: "ZIM" },
  queue: { step: 1, lane: 1, label: "Queue" },
  worker: { step: 2, lane: 1, label: "Worker" },
  queueLimit: { step: 3, lane: 1, label: "Rate limit" },
  corner: { step: 4, lane: 1 },
  otherClient: { step: 3.5, lane: 0.5 },
};
const LINES = [["phone", "api", "limit", "zim"], ["api", "queue", "worker", "queueLimit", "corner", "zim"]];

const svg = $("picture");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const dots = shape("g", {});
const notes = {};
let layout = {};

function isNarrow() {
  return svg.clientWidth < NARROW_PIXELS;
}

/** Draws the places and lines. A narrow picture runs from top to bottom. */
function draw() {
  const width = svg.clientWidth;
  if (!width) return;
  const narrow = isNarrow();
  const box = narrow ? { width: Math.min(140, width * 0.45), height: 46 } : { width: 112, height: 50 };
  const height = narrow ? 4 * 70 + box.height + 4 : 166;
  const position = ({ step, lane }) => (narrow
    ? { x: box.width / 2 + 2 + lane * (width - box.width - 4), y: box.height / 2 + 2 + step * 70 }
    : { x: box.width / 2 + 2 + step * ((width - box.width - 4) / 4), y: box.height / 2 + 2 + lane * 110 });
  layout = Object.fromEntries(Object.entries(PLACES).map(([name, place]) => [name, position(place)]));
  layout.box = box;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.style.height = `${height}px`;
  const lines = LINES.map((names) =>
    shape("polyline", { points: names.map((name) => `${layout[name].x},${layout[name].y}`).join(" ") }));
  const boxes = Object.entries(PLACES).filter(([, place]) => place.label).map(([name, place]) => {
    const { x, y } = layout[name];
    notes[name] = shape("text", { x, y: y + 14, class: "note" }, notes[name]?.textContent ?? "");
    return shape("g", { class: `place ${name}` },
      shape("rect", { x: x - box.width / 2, y: y - box.height / 2, width: box.width, height: box.height, rx: 8 }),
      shape("text", { x, y: y - 3 }, place.label),
      notes[name]);
  });
  svg.replaceChildren(...lines, dots, ...boxes);
}
new ResizeObserver(draw).observe(svg.parentElement);
draw();

class Dot {
  constructor(place) {
    this.sign = shape("text", { y: 4.5 });
    this.element = shape("g", { class: "dot waiting" }, shape("circle", { r: 9 }), this.sign);
    this.spread = (Math.random() - 0.5) * SPREAD_PIXELS;
    dots.append(this.element);
    this.at = this.point(place);
    this.element.style.transform = `translate(${this.at.x}px, ${this.at.y}px)`;
  }

  /** Returns where a dot is at a place, or `offset` dots before it, or after it if that is negative. */
  point(name, offset = 0) {
    const { x, y } = layout[name];
    if (!PLACES[name].label) return { x, y };
    const edge = layout.box[isNarrow() ? "height" : "width"] / 2;
    const back = offset && Math.sign(offset) * (edge + (Math.abs(offset) - 0.3) * DOT_PIXELS);
    return isNarrow() ? { x: x + this.spread, y: y - back } : { x: x - back, y: y + this.spread };
  }

  async move(...names) {
    for (const name of names) await this.glide(this.point(name));
  }

  async glide(to) {
    const [from, end] = [this.at, to].map(({ x, y }) => `translate(${x}px, ${y}px)`);
    this.at = to;
    this.element.style.transform = end;
    if (!still.matches) {
      await this.element.animate({ transform: [from, end] }, { duration: MOVE_MILLISECONDS, easing: "ease-in-out" }).finished;
    }
  }

  mark(meaning) {
    this.element.setAttribute("class", `dot ${meaning}`);
    this.sign.textContent = MEANINGS[meaning].sign;
  }

  async remove() {
    await new Promise((resolve) => { setTimeout(resolve, SHOWN_MILLISECONDS); });
    this.element.remove();
  }
}

const inFlight = new Set();
const arrived = new Map();  // functions to call when ZIM receives a request
const atLimit = [];  // requests that wait before the rate limit; the index is the place in the line
let ringing = 0;
let queued = 0;
let parameters = {};

function showNotes() {
  const waiting = atLimit.filter(Boolean).length;
  const rate = (name) => (parameters[name] ? `${parameters[name]} calls/s` : "");
  const atATime = (name) => (parameters[name] ? `${parameters[name]} at a time` : "");
  const values = {
    phone: ringing ? `${ringing} ringing` : "idle",
    api: inFlight.size ? `${inFlight.size} in flight` : atATime("ApiConcurrency"),
    limit: waiting ? `${waiting} waiting` : rate("ApiCallsPerSecond"),
    queue: queued ? `${queued} waiting` : "empty",
    worker: atATime("QueueConcurrency"),
    queueLimit: rate("QueueCallsPerSecond"),
  };
  for (const [name, value] of Object.entries(values)) setText(notes[name], value);
  svg.querySelector(".phone")?.classList.toggle("ringing", ringing > 0);
}

function waitAtLimit(request) {
  const free = atLimit.findIndex((each) => !each);
  const index = free < 0 ? atLimit.length : free;
  atLimit[index] = request;
  showNotes();
  return index;
}

onSend(async (request) => {
  let outcome = null;
  const arrival = new Promise((resolve) => { arrived.set(request, resolve); });
  const answer = request.response.then((response) => { outcome = response.outcome; });
  inFlight.add(request);
  answer.then(() => {
    inFlight.delete(request);
    arrived.delete(request);
    showNotes();
  });
  showNotes();

  const dot = new Dot("phone");
  await dot.move("api");
  let back = [];
  if (request.isQueued) {
    await answer;
    if (outcome.reached === "queue") {
      const message = new Dot("api");
      message.move("queue").then(() => message.element.remove());
    }
  } else if (outcome?.reached !== "api") {
    const index = waitAtLimit(request);
    await dot.glide(dot.point("limit", Math.min(index + 1, SHOWN_WAITING)));
    await Promise.race([answer, arrival]);
    atLimit[index] = null;
    showNotes();
    if (!outcome || outcome.reached === "zim") {
      await dot.move("limit");
      await dot.glide(dot.point("zim", 1));
      back = ["limit", "api"];
    } else {
      back = ["api"];
    }
    await answer;
  }
  dot.mark(outcome.meaning);
  await dot.move(...back);
  await dot.glide(dot.point("phone", -1));
  await dot.remove();
});

async function showOtherClient(code) {
  const dot = new Dot("otherClient");
  dot.element.append(shape("text", { x: -14, y: 4.5, class: "note" }, "Other client"));
  await dot.move("zim");
  if (code === 0) dot.mark("success");
  await dot.move("otherClient");
  await dot.remove();
}

onArrival(async ({ code }, request) => {
  if (!request) {
    await showOtherClient(code);
    return;
  }
  arrived.get(request)?.();
  if (!request.isQueued) return;
  const dot = new Dot("queue");
  await dot.move("worker", "queueLimit", "corner", "zim");
  // The page does not know what the worker makes of another code.
  if (code === 0) dot.mark("success");
  await dot.move("corner", "queueLimit");
  await dot.glide(dot.point("worker", -1));
  await dot.remove();
});

subscribe(({ states, stack, settings, requests_by_second: seconds }) => {
  ringing = states.ringing ?? 0;
  parameters = stack.Parameters ?? {};
  setText(notes.zim, `${seconds.at(-1).total}/s of ${settings.calls_per_second}/s`);
  showNotes();
});

/** Shows the number of messages in the queue. */
export function showQueued(count) {
  queued = count;
  showNotes();
}

/** Returns whether the picture changes. */
export const isBusy = () => queued > 0 || dots.childElementCount > 0;

for (const [name, { sign, label }] of Object.entries(MEANINGS)) {
  const item = document.createElement("li");
  item.append(shape("svg", { viewBox: "-10 -10 20 20", "aria-hidden": "true" },
    shape("g", { class: `dot ${name}` }, shape("circle", { r: 9 }), shape("text", { y: 4.5 }, sign))), label);
  $("legend").append(item);
}
