// What a response of the API means.

/** The meanings of a response. Each has a color in page.css, and a sign, because colors alone are not enough. */
export const MEANINGS = {
  waiting: { sign: "", label: "On its way" },
  success: { sign: "✓", label: "Success" },
  retry: { sign: "↻", label: "Retry later" },
  caller: { sign: "!", label: "Caller's error" },
  server: { sign: "✕", label: "Server's error" },
};

function meaningOf(status, retryable) {
  if (status < 400) return "success";
  if (retryable) return "retry";
  return status < 500 ? "caller" : "server";
}

/**
 * Returns the outcome of a request.
 *
 * It has a name ("502 ZimUnavailable"), a meaning, a detail, the outcome's name if it is a problem (RFC 9457), and the
 * farthest place that the request reached: "api", "limit", "zim", or "queue".
 */
export function outcomeOf(response, text) {
  if (!response) return { name: "No response", meaning: "retry", detail: text, reached: "phone" };
  let body = {};
  try {
    body = JSON.parse(text);
  } catch { /* a body that is not JSON has no members */ }
  const { status } = response;
  const problem = body.type?.split(":").at(-1);
  const retryable = body.retryable ?? (status === 429 || status >= 500);
  const isThrottled = retryable && !problem;  // by Lambda or API Gateway
  let reached = "api";
  if (status === 202) reached = "queue";
  else if (body.Code !== undefined || problem?.includes("Zim")) reached = "zim";
  else if (problem === "RateLimited") reached = "limit";
  return {
    name: `${status} ${problem ?? response.statusText}`.trim(),
    problem,
    meaning: meaningOf(status, retryable),
    detail: isThrottled ? "API Gateway responded itself, because the function did not run or did not complete." : body.detail ?? "",
    isThrottled,
    reached,
  };
}
