// Requests to the sidecar. The browser adds the session cookie.

import { T } from "./texts.js";

/** An error response, with the message of the sidecar. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The JSON response, null without one. Fires "session-lost" on the window when a login is needed. */
export async function ask(method, path, body) {
  const options = { method, cache: "no-store" };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  return answer(await reach(path, options));
}

/** Exchanges the key for a session; the key is not stored. */
export const logIn = async (key) => {
  // Headers are ASCII; no other key can be valid.
  if (/[^\x21-\x7e]/.test(key)) throw new Refused(401, T.invalidKey);
  return answer(await reach("/v1/session", { method: "POST", headers: { "X-API-KEY": key } }));
};

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Refused(0, T.unreachable);
  }
}

async function answer(response) {
  if (response.status === 204) return null;
  const document = await response.json().catch(() => ({}));
  if (response.ok) return document;
  if (response.status === 401) window.dispatchEvent(new Event("session-lost"));
  throw new Refused(response.status, document.error?.message ?? T.responded(response.status));
}

/** The result of a request, null if it failed with this status. */
export async function unless(status, asking) {
  try {
    return await asking;
  } catch (error) {
    if (error.status === status) return null;
    throw error;
  }
}
