// The queue of the stack, and its dead letters.

import { $, clone, setText, shortId } from "./dom.js";
import { stack } from "./api.js";
import { showDepth } from "./charts.js";
import { showQueued } from "./picture.js";
import { perform, send, subscribe } from "./simulator.js";

const time = new Intl.DateTimeFormat([], { timeStyle: "medium", hourCycle: "h23" });
let shownCount = 0;

function newLetter({ outcome, detail, request, sent }) {
  const item = clone("dead-letter");
  const { FromUserId: user, CallId: callId = "" } = request ?? {};
  item.querySelector("strong").textContent = outcome;
  item.querySelector(".about").textContent = [user, callId && `call ${shortId(callId)}`, time.format(sent * 1000)]
    .filter(Boolean).map((part) => `· ${part}`).join(" ");
  item.querySelector(".explanation").textContent = detail ?? "";
  item.querySelector("pre").textContent = typeof request === "string" ? request : JSON.stringify(request, null, 2);
  return item;
}

async function showLetters() {
  const { dead_letters: letters } = await send("GET", stack.DeadLettersUrl);
  if (!letters.length && $("put-back") === document.activeElement) $("dead-letters-heading").focus();
  $("put-back").hidden = !letters.length;
  $("dead-letters").replaceChildren(...letters.map(newLetter));
}

$("put-back").addEventListener("click", () => perform(
  $("dead-letters-message"),
  ({ moved }) => `Put back: ${moved} ${moved === 1 ? "message is" : "messages are"} in the queue again.`,
  () => {
    shownCount = -1;  // a message can fail again before the next refresh
    return send("POST", `${stack.DeadLettersUrl}/redrive`);
  },
));

subscribe(async () => {
  for (const element of document.querySelectorAll(".of-stack")) element.hidden = !stack;
  if (!stack) return;
  try {
    const { queue, dead_letters: dead } = await send("GET", stack.QueuesUrl);
    showDepth(queue);
    showQueued(queue.waiting + queue.in_flight);
    const count = dead.waiting + dead.in_flight;
    setText($("dead-letters-text"), String(count));
    if (count === shownCount) return;  // because reading the dead letters hides them for a moment
    await showLetters();
    shownCount = count;
  } catch (error) {
    setText($("queue-text"), `unavailable (${error.message})`);
  }
});
