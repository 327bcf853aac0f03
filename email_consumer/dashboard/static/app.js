// Assembles the page: access, the live part, and the places.

import { ApiKeys } from "./api-keys.js";
import { ask, logIn } from "./api.js";
import { AuditLog } from "./audit-log.js";
import { byId, el } from "./dom.js";
import { DeadLetters } from "./dead-letters.js";
import { DomainPage } from "./domain-page.js";
import { Find } from "./find.js";
import { decimal, zone } from "./format.js";
import { InDoubt } from "./in-doubt.js";
import { listenForKeys } from "./keyboard.js";
import { Live } from "./live.js";
import { MailList } from "./mail-list.js";
import { MailPage } from "./mail-page.js";
import { Now } from "./now.js";
import { Pair } from "./pair.js";
import { go, here, link } from "./router.js";
import { Reputation } from "./reputation.js";
import { Stats } from "./stats.js";
import { Suppressions } from "./suppressions.js";
import { T } from "./texts.js";
import { TopicPage } from "./topic-page.js";
import { Topics } from "./topics.js";
import { Waiting } from "./waiting.js";
import { Webhooks } from "./webhooks.js";

const now = new Now();
const waiting = new Waiting(byId("waiting"));
const places = {
  now,
  stats: new Stats(byId("stats")),
  mail: new Pair(byId("mail"), MailList, MailPage),
  topics: new Pair(byId("topics"), Topics, TopicPage),
  waiting,
  reputation: new Pair(byId("reputation"), Reputation, DomainPage),
  "dead-letters": new DeadLetters(byId("dead-letters")),
  "in-doubt": new InDoubt(byId("in-doubt")),
  suppressions: new Suppressions(byId("suppressions")),
  webhooks: new Webhooks(byId("webhooks")),
  keys: new ApiKeys(byId("keys")),
  audit: new AuditLog(byId("audit")),
  find: new Find(byId("find")),
};
const FOR_ADMINS = ["keys", "audit"];
let live = null;
let loggedIn = false;
let admin = false;
let shown = 0;
let opened = null;

function show(session) {
  shown += 1;
  loggedIn = session.logged_in;
  admin = loggedIn && session.scopes.includes("admin");
  const open = loggedIn || session.public;
  byId("login").hidden = open;
  byId("no-key").hidden = session.key_set;
  byId("login-form").hidden = !session.key_set;
  byId("places").hidden = byId("find-form").hidden = byId("logout").hidden = byId("aside").hidden = !loggedIn;
  for (const name of FOR_ADMINS) tab(name).hidden = !admin;
  byId("show-login").hidden = loggedIn || !session.public;
  byId("notice").hidden = true;
  byId("zone").textContent = T.zone(zone, session.timezone);
  byId("badges").replaceChildren(...badges(session));
  live?.end();
  live = open ? new Live(loggedIn ? "/v1/live" : "/v1/live/public", heard, silent) : null;
  if (open) now.build(loggedIn);
  else byId("key").focus();
  route(open);
}

function badges({ local, safe_mode }) {
  const given = [local && T.local, T.safe[safe_mode]].filter(Boolean);
  return given.map(([name, meaning]) => el("b", { class: "mode", title: meaning }, name));
}

function heard(name, data) {
  if (name === "history") {
    now.fill(data);
    return;
  }
  const { point, state } = data;
  now.show(point, state);
  waiting.live(state, point[0]);
  const problems = state.parts.filter(({ condition }) => condition === "down" || condition === "held");
  notice(problems.map(({ name, condition, text }) => T.partProblem(name, condition === "held", text)).join("\n"));
  document.title = `${problems.length ? "⚠ " : ""}${decimal(point[1])}/s · email_consumer`;
}

function silent() {
  notice(T.silent);
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

function route(open = true) {
  const place = here();
  const allowed = loggedIn && places[place.name] && (admin || !FOR_ADMINS.includes(place.name));
  const chosen = allowed ? place.name : "now";
  opened?.close();
  for (const name of Object.keys(places)) {
    byId(name).hidden = !open || name !== chosen;
    if (name === chosen) tab(name)?.setAttribute("aria-current", place.item ? "true" : "page");
    else tab(name)?.removeAttribute("aria-current");
  }
  opened = places[chosen];
  if (place.item) scrollTo(0, 0);
  if (loggedIn) opened.open(place);
}

const tab = (name) => document.querySelector(`#places a[href="#${name}"]`);

function label() {
  byId("places").ariaLabel = T.navigation;
  byId("places").append(...Object.entries(T.places).map(([name, text]) => el("a", { href: link(name) }, text)));
  byId("find-text").ariaLabel = T.searchLabel;
  byId("find-text").placeholder = T.searchHint;
  byId("show-login").textContent = byId("login-title").textContent = T.logIn;
  document.querySelector("#login-form button").textContent = T.logIn;
  document.querySelector("#login-form label").textContent = T.apiKey;
  byId("logout").textContent = T.logOut;
  byId("no-key").textContent = T.noKey;
  byId("confirm-no").textContent = T.back;
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
    byId("login-error").textContent = error.status === 401 ? T.invalidKey : error.message;
    key.select();
  }
});
byId("find-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("find-text").value.trim();
  if (text) go("find", text);
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
window.addEventListener("hashchange", () => route(!byId("now").hidden || loggedIn));

label();
listenForKeys();
show(await ask("GET", "/v1/session").catch(() => ({ logged_in: false, public: false, key_set: true })));
