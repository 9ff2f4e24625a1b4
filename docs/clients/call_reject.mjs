// Rejects a call invitation, from a page, a service worker or Node.js: docs/clients.md.

/** ExtendedData for the prebuilt UIKit: the caller sees "declined". Without the UIKit it is yours to choose. */
export const UIKIT_DECLINE = JSON.stringify({ invitation_id: "", reason: "decline", custom_data: "", v: "f1.0" });

/**
 * @param {string} url CallRejectUrl, to learn the outcome, or CallRejectAsyncUrl, to have it done soon
 * @param {() => Promise<string>} token gives a token of the user that is good now; asked before each try
 * @param {{CallId: string, ExtendedData?: string}} request
 * @param {Date} ringsUntil when the invitation stops ringing; no try begins later
 * @returns {Promise<boolean>} whether there is nothing left to do
 */
export async function callReject(url, token, request, ringsUntil) {
  for (let pause = 1; ; pause = Math.min(pause * 2, 30)) {
    let wait = pause;
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { Authorization: `Bearer ${await token()}`, "Content-Type": "application/json" },
        body: JSON.stringify(request),
        signal: AbortSignal.timeout(30_000),
      });
      if ([200, 202, 409].includes(response.status)) return true;
      const problem = await response.json().catch(() => null);
      if (!(problem?.retryable ?? (response.status === 429 || response.status >= 500))) {
        console.error(`CallReject: ${response.status} ${problem?.type ?? problem?.message}`);
        return false;
      }
      wait = Number(response.headers.get("Retry-After")) || pause;
    } catch (error) {
      console.warn(`CallReject: no answer, or no token: ${error.message}`); // Rejecting twice is harmless.
    }
    if (Date.now() + wait * 1000 > ringsUntil) return false;
    await new Promise((resolve) => setTimeout(resolve, wait * 1000));
  }
}
