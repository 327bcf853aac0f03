// Assembles the page: access, the live part, and the lists.

import { ask, logIn } from "./api.js";
import { byId } from "./dom.js";
import { decimal } from "./format.js";
import { DeadLetters } from "./dead-letters.js";
import { InDoubt } from "./in-doubt.js";
import { Live } from "./live.js";
import { Plot } from "./plot.js";
import { Search } from "./search.js";
import { buildTiles, showParts, showTiles } from "./state.js";
import { Suppressions } from "./suppressions.js";
import { Topics } from "./topics.js";

const plot = new Plot();
const search = new Search(byId("search"));
const find = (text) => {
  location.hash = "search";
  search.find(text);
};
const lists = {
  topics: new Topics(byId("topics"), (topic, state) => {
    location.hash = "search";
    search.list(topic, state);
  }),
  search,
  "dead-letters": new DeadLetters(byId("dead-letters")),
  suppressions: new Suppressions(byId("suppressions"), find),
  "in-doubt": new InDoubt(byId("in-doubt"), find),
};
let live = null;
let loggedIn = false;
let shown = 0;

function show(session) {
  shown += 1;
  loggedIn = session.logged_in;
  const open = loggedIn || session.public;
  byId("login").hidden = open;
  byId("no-key").hidden = session.key_set;
  byId("login-form").hidden = !session.key_set;
  byId("live").hidden = !open;
  byId("lists").hidden = !loggedIn;
  byId("logout").hidden = !loggedIn;
  byId("show-login").hidden = loggedIn || !session.public;
  byId("notice").hidden = true;
  live?.end();
  live = open ? new Live(loggedIn ? "/v1/live" : "/v1/live/public", heard, silent) : null;
  if (open) buildTiles(loggedIn);
  else byId("key").focus();
  route();
}

function heard(name, data) {
  if (name === "history") {
    plot.fill(data);
    return;
  }
  const { point, state } = data;
  plot.add(point);
  showTiles(state, plot, point[0]);
  showParts(state.parts);
  const problems = state.parts.filter(({ condition }) => condition === "down" || condition === "held");
  notice(problems.map(({ name, condition, text }) => `${name} is ${condition === "held" ? "blocking mail" : "down"}${text && `: ${text}`}`).join("\n"));
  document.title = `${problems.length ? "⚠ " : ""}${decimal(point[1])}/s · email_consumer`;
}

function silent() {
  notice("No connection to the daemon; retrying …");
  checkSession();
}

/** A response that was requested before the session shown now, such as that of a login, is outdated. */
async function checkSession() {
  const before = shown;
  const session = await ask("GET", "/v1/session").catch(() => null);
  if (session && shown === before && session.logged_in !== loggedIn) show(session);
}

function notice(text) {
  const box = byId("notice");
  if (box.textContent !== text) box.textContent = text;
  box.hidden = !text;
}

function route() {
  const chosen = lists[location.hash.slice(1)] ? location.hash.slice(1) : "topics";
  for (const [name, list] of Object.entries(lists)) {
    const visible = loggedIn && name === chosen;
    byId(name).hidden = !visible;
    document.querySelector(`nav a[href="#${name}"]`).toggleAttribute("aria-current", name === chosen);
    if (visible) list.open();
    else list.close();
  }
}

byId("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = byId("key");
  byId("login-error").textContent = "";
  try {
    const session = await logIn(key.value);
    key.value = "";
    show(session);
  } catch (error) {
    byId("login-error").textContent = error.status === 401 ? "Invalid API key." : error.message;
    key.select();
  }
});
byId("show-login").addEventListener("click", () => {
  byId("login").hidden = false;
  byId("key").focus();
});
byId("logout").addEventListener("click", async () => {
  await ask("DELETE", "/v1/session").catch(() => null);
  location.reload(); // clears everything that was shown
});
window.addEventListener("session-lost", () => {
  if (loggedIn) checkSession();
});
window.addEventListener("hashchange", route);

show(await ask("GET", "/v1/session").catch(() => ({ logged_in: false, public: false, key_set: true })));
