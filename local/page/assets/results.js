// The requests that this page sent to the API, one row each.

import { $, clone, duration, say, setText, shortId, updateMore } from "./dom.js";
import { onArrival, onSend, post } from "./api.js";
import { MEANINGS } from "./outcomes.js";

const KEPT_RESULTS = 60;
const rows = new Map();

/** Describes when ZIM received a request. */
function describe({ arrivals, sentAt, isQueued, result }) {
  const times = arrivals.map(({ at, code }) => `${duration(Math.max(at - sentAt, 0) * 1000)} (${code === null ? "no code" : `Code ${code}`})`);
  const received = times.length ? `ZIM received the call after ${times.join(", ")}.` : "";
  const from = isQueued ? "The queue accepted the request. The API does not report the outcome." : result.outcome.detail;
  return [`${MEANINGS[result.outcome.meaning].label}.`, from, received].filter(Boolean).join(" ");
}

function show(request) {
  const row = rows.get(request);
  const { result } = request;
  if (!row || !result) return;
  const { meaning, name } = result.outcome;
  const rejected = request.isQueued && request.arrivals.find(({ code }) => code === 0);
  row.className = meaning;
  setText(row.querySelector(".sign"), MEANINGS[meaning].sign);
  setText(row.querySelector("strong"), name);
  setText(row.querySelector(".about"), [
    request.user,
    `call ${shortId(request.callId)}`,
    duration(result.milliseconds),
    ...(rejected ? [`rejected after ${duration((rejected.at - request.sentAt) * 1000)}`] : []),
  ].map((part) => `· ${part}`).join(" "));
  setText(row.querySelector(".explanation"), describe(request));
  setText(row.querySelector(".response"), result.text);
}

onSend(async (request) => {
  const row = clone("result");
  row.className = "waiting";
  rows.set(request, row);
  row.querySelector("strong").textContent = `POST /call-reject${request.isQueued ? "/async" : ""}`;
  row.querySelector(".about").textContent = `· ${request.user} · waiting for the response`;
  row.querySelector(".request").textContent = request.text;
  row.querySelector(".again").addEventListener("click", () =>
    post(request.url, request.body, request.user).catch((error) => say($("start-message"), error.message)));
  $("results").prepend(row);
  $("results-none").hidden = true;
  for (const [old, element] of [...rows].slice(0, -KEPT_RESULTS)) {
    element.remove();
    rows.delete(old);
  }
  updateMore($("results"));
  request.result = await request.response;
  show(request);
});
onArrival((_, request) => request && show(request));
