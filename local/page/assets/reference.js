// "Try it" in the API reference: real requests to the running stack.

import { say } from "./dom.js";
import { post, stack } from "./api.js";
import { refresh, startCall, subscribe } from "./simulator.js";

const RINGS_SECONDS = 90;

for (const form of document.querySelectorAll(".try")) {
  const { user, body } = form.elements;
  const [message, exchange] = [form.querySelector("output"), form.querySelector("pre")];

  async function attempt(action) {
    try {
      await action();
    } catch (error) {
      say(message, error.message);
    }
  }

  form.querySelector(".ring").addEventListener("click", () => attempt(async () => {
    const call = await startCall("caller0", [user.value], RINGS_SECONDS);
    body.value = JSON.stringify({ CallId: call.CallId, Reason: "decline", ExpiresAt: call.ExpiresAt[user.value] }, null, 2);
    say(message, `caller0 calls ${user.value}. CallId is in the body.`);
  }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(async () => {
      const url = form.dataset.path.endsWith("/async") ? stack.CallRejectAsyncUrl : stack.CallRejectUrl;
      const { text, result } = await post(url, body.value, user.value);
      exchange.textContent = `${text}\n\n${result.text}`;
      exchange.className = result.outcome.meaning;
      exchange.hidden = false;
    });
  });
}

subscribe(() => {
  for (const button of document.querySelectorAll(".try button")) button.disabled = !stack;
});
document.addEventListener("visibilitychange", () => document.hidden || refresh());
refresh();
