// Rejects a call invitation from a page, a service worker or Node.js. See docs/clients.md.

/**
 * @param {string} url CallRejectUrl, or CallRejectAsyncUrl to get a response before the call is rejected
 * @param {() => Promise<string>} token returns a valid token of the user; called before each attempt
 * @param {{CallId: string, Reason?: "decline" | "busy", ExtendedData?: string, ExpiresAt: number}} request ExpiresAt is
 *   the Unix time in seconds when the invitation stops ringing; no retry starts later
 * @returns {Promise<boolean>} true if the call is rejected, queued or already over
 */
export async function callReject(url, token, request) {
  if (!Number.isInteger(request.ExpiresAt)) throw new TypeError("ExpiresAt must be an integer");
  for (let pause = 1; ; pause = Math.min(pause * 2, 30)) {
    let wait = pause;
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { Authorization: `Bearer ${await token()}`, "Content-Type": "application/json" },
        body: JSON.stringify(request),
        redirect: "manual", // the response is the redirect, whose status is 0 in a browser
        signal: AbortSignal.timeout(30_000),
      });
      if ([200, 202, 409].includes(response.status)) return true;
      const problem = await response.json().catch(() => null);
      console.error(`CallReject: ${response.status} ${problem?.type ?? problem?.message}`);
      if (!(problem?.retryable ?? (response.status === 429 || response.status >= 500))) return false;
      wait = Number(response.headers.get("Retry-After")) || pause;
    } catch (error) {
      console.warn(`CallReject: no response, or no token: ${error.message}`, error.cause ?? "");
    }
    if (Date.now() / 1000 + wait >= request.ExpiresAt) return false;
    await new Promise((resolve) => setTimeout(resolve, wait * 1000));
  }
}
