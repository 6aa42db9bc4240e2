// Asking the console's server. What changes anything carries the token that came with the page.

const DEADLINE_MS = 8000;
const META = 'meta[name="chargebench-token"]';

/** Return the JSON answer, or throw an Error whose message is for people. */
export async function ask(method, path, body) {
  let response = await send(method, path, body);
  if (response.status === 403 && (await refreshToken())) response = await send(method, path, body);
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(reason(answer, response.status));
  return answer;
}

async function send(method, path, body) {
  const headers = { "X-ChargeBench-Token": document.querySelector(META).content };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  } catch {
    throw new Error("The console does not answer.");
  }
}

/** A restarted bench has a new token: take it from a fresh page. Returns whether it was new. */
async function refreshToken() {
  const page = new DOMParser().parseFromString(await (await send("GET", "/")).text(), "text/html");
  const fresh = page.querySelector(META)?.content;
  const meta = document.querySelector(META);
  if (!fresh || fresh === meta.content) return false;
  meta.content = fresh;
  return true;
}

function reason(answer, status) {
  if (typeof answer?.detail === "string") return answer.detail;
  if (Array.isArray(answer?.detail)) return answer.detail.map((problem) => problem.msg).join("; ");
  return `The answer was HTTP status ${status}.`;
}
