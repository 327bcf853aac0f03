// Asks the sidecar. The browser's session cookie goes along by itself.

/** What the sidecar refused, in its own words. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The JSON answer, null if there is none. Fires "session-lost" on the window where a login is needed. */
export async function ask(method, path, body) {
  const options = { method, cache: "no-store" };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  return answer(await reach(path, options));
}

/** Trades the key for a session; the key is kept nowhere. */
export const logIn = async (key) => {
  // A header holds no more than ASCII; no other key can be right.
  if (/[^\x21-\x7e]/.test(key)) throw new Refused(401, "Unauthorized.");
  return answer(await reach("/v1/session", { method: "POST", headers: { "X-API-KEY": key } }));
};

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Refused(0, "The daemon can't be reached.");
  }
}

async function answer(response) {
  if (response.status === 204) return null;
  const document = await response.json().catch(() => ({}));
  if (response.ok) return document;
  if (response.status === 401) window.dispatchEvent(new Event("session-lost"));
  throw new Refused(response.status, document.error?.message ?? `The sidecar answered ${response.status}.`);
}
