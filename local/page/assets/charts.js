// The charts of the last minute.

import { $, setText, shape } from "./dom.js";

const SHOWN_SECONDS = 60;
const MARGIN = { left: 30, right: 4, top: 20, bottom: 18 };

/** Draws one bar per second, the newest on the right, with labelled axes and the limit as a line. */
export function drawBars(svg, bars, limit) {
  const width = svg.clientWidth || 400;
  const height = svg.clientHeight || 120;
  const most = Math.max(limit ?? 0, 4, ...bars.map((bar) => bar.total));
  const y = (value) => height - MARGIN.bottom - (value / most) * (height - MARGIN.top - MARGIN.bottom);
  const second = (width - MARGIN.left - MARGIN.right) / SHOWN_SECONDS;
  const left = width - MARGIN.right - bars.length * second;
  const text = (x, at, label, anchor) => shape("text", { x, y: at, "text-anchor": anchor }, label);
  const line = (value, name) => shape("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value), class: name });
  const shapes = [
    line(0, "axis"),
    text(MARGIN.left - 6, y(0) + 4, "0", "end"),
    text(MARGIN.left - 6, y(most) + 4, String(most), "end"),
    text(MARGIN.left, height - 4, "60 s ago", "start"),
    text(width - MARGIN.right, height - 4, "now", "end"),
  ];
  bars.forEach((bar, index) => {
    for (const [name, value] of [["total", bar.total], ["rate-limited", bar.rate_limited]]) {
      if (!value) continue;
      const box = { x: left + index * second + 0.5, width: second - 1, y: y(value), height: y(0) - y(value) };
      shapes.push(shape("rect", { ...box, class: name, "data-value": value }));
    }
  });
  if (limit !== undefined) shapes.push(line(limit, "limit"), text(width - MARGIN.right, y(limit) - 4, `limit ${limit}`, "end"));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(...shapes);
}

/** Draws the requests that ZIM received. */
export function showRate({ requests_by_second: seconds, most_in_a_second: most, settings }) {
  const limited = seconds.reduce((sum, second) => sum + second.rate_limited, 0);
  drawBars($("rate"), seconds, settings.calls_per_second);
  setText($("rate-text"), `now ${seconds.at(-1).total}, maximum ${most}, limit ${settings.calls_per_second}` +
    (limited ? `, ${limited} over the limit` : ""));
}

const depths = [];

/** Draws the number of messages in the queue, one bar per second. */
export function showDepth(depth) {
  const total = depth.waiting + depth.in_flight;
  const now = Math.floor(Date.now() / 1000);
  if (depths.at(-1)?.second === now) depths.pop();
  depths.push({ second: now, total });
  depths.splice(0, depths.length - SHOWN_SECONDS);
  drawBars($("queue"), depths);
  setText($("queue-text"), `${total}${depth.in_flight ? `, ${depth.in_flight} in flight` : ""}`);
}
