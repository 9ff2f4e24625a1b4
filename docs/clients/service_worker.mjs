// Register it with navigator.serviceWorker.register("service_worker.mjs", { type: "module" }).

import { callReject } from "./call_reject.mjs";

const URL_ASYNC = "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/call-reject/async";

self.addEventListener("push", (event) => {
  const { CallId, ExpiresAt, title } = event.data.json(); // the content of your push notification
  const shown = self.registration.showNotification(title, {
    tag: CallId,
    data: { CallId, ExpiresAt },
    requireInteraction: true,
    actions: [{ action: "decline", title: "Decline" }],
  });
  event.waitUntil(shown);
});

self.addEventListener("notificationclick", (event) => {
  if (event.action !== "decline") return;
  const { CallId, ExpiresAt } = event.notification.data;
  event.notification.close();
  event.waitUntil(callReject(URL_ASYNC, token, { CallId, Reason: "decline", ExpiresAt }));
});

/** Your server identifies the user by the session cookie and returns a valid token of your issuer. */
async function token() {
  const response = await fetch("/token", { credentials: "same-origin" });
  if (!response.ok) throw new Error(`no token: ${response.status}`);
  return response.text();
}
