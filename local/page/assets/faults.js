// Faults and settings of the simulator.

import { $, clone, setText } from "./dom.js";
import { perform, send, subscribe } from "./simulator.js";

const UNEXPECTED = "502 UnexpectedZimResponse";

/** Groups of faults: a name, the expected response of POST /call-reject, the fault to set, and whether it is folded. */
const GROUPS = {
  "Rate limit": [
    { name: "Rate limit exceeded", outcome: "429 RateLimited", fault: { kind: "code", code: 660300005 } },
  ],
  "ZIM errors": [
    { name: "Server busy", outcome: "503 ZimUnavailable", fault: { kind: "code", code: 1 } },
    { name: "User not registered", outcome: "422 UserNotRegistered", fault: { kind: "code", code: 660500002 } },
    { name: "Wrong signature", outcome: "502 ZimConfigurationError", fault: { kind: "code", code: 100000005 }, rare: true },
    { name: "Call not found", outcome: "404 CallNotFound", fault: { kind: "code", code: 660900004 }, rare: true },
  ],
  "Unexpected responses": [
    { name: "Undocumented return code", outcome: UNEXPECTED, fault: { kind: "code", code: 4711 } },
    { name: "HTML page", outcome: UNEXPECTED, fault: { kind: "html" }, rare: true },
    { name: "HTTP status 500", outcome: UNEXPECTED, fault: { kind: "http_500" }, rare: true },
    { name: "Redirect", outcome: UNEXPECTED, fault: { kind: "redirect" }, rare: true },
    { name: "JSON without Code", outcome: UNEXPECTED, fault: { kind: "no_code" }, rare: true },
    { name: "JSON array", outcome: UNEXPECTED, fault: { kind: "not_object" }, rare: true },
    { name: "100 MB response", outcome: UNEXPECTED, fault: { kind: "huge" }, rare: true },
  ],
  Network: [
    { name: "No response", outcome: "504 ZimTimeout", fault: { kind: "hang" } },
    { name: "Connection closed", outcome: "502 ZimUnreachable", fault: { kind: "cut_before" } },
    { name: "Response delayed by 2 seconds", outcome: "200 OK", fault: { kind: "slow", seconds: 2 }, rare: true },
    { name: "Response truncated", outcome: UNEXPECTED, fault: { kind: "cut_middle" }, rare: true },
    { name: "One byte per second", outcome: "504 ZimTimeout", fault: { kind: "drip", seconds: 1 }, rare: true },
  ],
};
const FAULTS = Object.values(GROUPS).flat();

function newItem(entry) {
  const item = clone("fault");
  item.querySelector(".name").textContent = entry.name;
  item.querySelector(".outcome").textContent = entry.outcome;
  entry.input = item.querySelector("input");
  entry.input.addEventListener("change", () => {
    const on = entry.input.checked;
    perform($("faults-message"), `${entry.name}: ${on ? "on" : "off"}`, async () => {
      await send("DELETE", "/simulator/faults");
      if (on) await send("POST", "/simulator/faults", { ...entry.fault, times: null });
    });
  });
  return item;
}

for (const [name, faults] of Object.entries(GROUPS)) {
  const group = clone("fault-group");
  const [shown, folded] = group.querySelectorAll("ul");
  const heading = group.querySelector("h3");
  heading.textContent = name;
  heading.id = `faults-${name.toLowerCase().replaceAll(" ", "-")}`;
  group.setAttribute("aria-labelledby", heading.id);
  for (const entry of faults) (entry.rare ? folded : shown).append(newItem(entry));
  const more = group.querySelector("details");
  more.hidden = !folded.children.length;
  more.querySelector("summary").textContent = `${folded.children.length} more: ${name}`;
  $("faults").append(group);
}

$("faults-off").addEventListener("click", () =>
  perform($("faults-message"), "Faults turned off.", () => send("DELETE", "/simulator/faults")));

$("settings").addEventListener("submit", (event) => {
  event.preventDefault();
  const settings = [...new FormData(event.target)].map(([name, value]) => [name, isNaN(value) ? value : Number(value)]);
  perform($("settings-message"), "Settings saved.", () => send("PATCH", "/simulator/settings", Object.fromEntries(settings)));
});

subscribe(({ faults: [next], settings }) => {
  let name = next?.kind;
  for (const entry of FAULTS) {
    entry.input.checked = next !== undefined && Object.entries(entry.fault).every(([member, value]) => next[member] === value);
    if (entry.input.checked) name = entry.name;
  }
  setText($("fault-state"), next ? `Active: ${name}${next.times ? `, for ${next.times} more requests` : ""}.` : "No active fault.");
  $("faults-off").disabled = !next;

  if ($("settings").contains(document.activeElement)) return;
  for (const input of $("settings").querySelectorAll("input, select")) input.value = settings[input.name];
});
