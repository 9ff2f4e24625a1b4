// The switch "Do not disturb" for the callees in the form. Shown while ZIM's callbacks go to examples/do-not-disturb.

import { $, say } from "./dom.js";
import { stack } from "./api.js";
import { callForm } from "./calls.js";
import { perform, send, subscribe } from "./simulator.js";

const input = $("do-not-disturb");
const message = $("do-not-disturb-message");
let shownUsers = null;

const forEachCallee = (method, path = "") =>
  Promise.all(callForm().users.map((user) =>
    send(method, `${stack.DoNotDisturbUrl}${path}?${new URLSearchParams({ user })}`)));

const show = (settings) => { input.checked = settings.every(({ Until: until }) => until !== null); };

input.addEventListener("change", () => {
  const { checked } = input;
  const users = callForm().users.join(", ");
  perform(message, checked ? `Calls to ${users} are rejected for an hour.` : `Calls to ${users} ring.`, async () => {
    shownUsers = null;  // if this fails, the next refresh shows the setting
    show(await forEachCallee("POST", checked ? "/on" : "/off"));
  });
});

subscribe(async ({ sends_callbacks: sendsCallbacks }) => {
  const users = callForm().users.join();
  const isShown = Boolean(stack && sendsCallbacks && users);
  $("do-not-disturb-switch").hidden = !isShown;
  if (!isShown || users === shownUsers) return;
  shownUsers = users;
  try {
    show(await forEachCallee("GET"));
  } catch (error) {
    say(message, error.message);
  }
});
