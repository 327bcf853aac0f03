// What mailbox providers think of the mail: bounces and complaints of the last day by what can be held; by recipients' domain.

import { ask, unless } from "./api.js";
import { confirmed, el } from "./dom.js";
import { count, percent } from "./format.js";
import { select } from "./form.js";
import { go, link } from "./router.js";
import { row, table } from "./table.js";
import { T } from "./texts.js";

const R = T.reputation;
const REFRESH = 10_000;
const MOST = 100;
const DAYS = "7";

export class Reputation {
  constructor(section) {
    this.status = el("p", { class: "status", role: "status" });
    this.keys = el("tbody");
    this.domains = el("tbody");
    this.kind = select("reputation-kind", R.kinds);
    this.days = el("select", { id: "reputation-days" }, ...Object.entries(R.ranges).map(([value, text]) => el("option", { value }, text)));
    this.kind.ariaLabel = R.show;
    this.days.ariaLabel = R.time;
    const narrow = () => go("reputation", null, { kind: this.kind.value, days: this.days.value === DAYS ? "" : this.days.value });
    this.kind.addEventListener("change", narrow);
    this.days.addEventListener("change", narrow);
    section.append(
      this.status,
      el("div", { class: "list-head" }, el("h2", {}, R.title), this.kind),
      el("p", { class: "dim intro" }, R.intro),
      table(R.title, R.columns, this.keys),
      el("div", { class: "list-head next" }, el("h2", {}, R.domains), this.days),
      el("p", { class: "dim intro" }, R.domainsIntro),
      table(R.domains, [R.domain, ...Object.values(R.counts)], this.domains),
    );
  }

  async open({ query }) {
    this.query = query;
    this.kind.value = query.kind ?? "";
    this.days.value = query.days ?? DAYS;
    clearInterval(this.timer);
    this.timer = setInterval(() => document.hidden || this.refresh(), REFRESH);
    await this.refresh();
  }

  close() {
    this.query = null;
    clearInterval(this.timer);
  }

  async refresh() {
    const query = this.query;
    try {
      const [keys, domains] = await Promise.all([unless(404, ask("GET", "/v1/reputation")), ask("GET", `/v1/domains?${new URLSearchParams({ days: query.days ?? DAYS })}`)]);
      if (query !== this.query) return;
      this.showKeys(keys?.keys ?? []);
      this.showDomains(domains.domains);
      this.status.textContent = "";
    } catch (error) {
      if (query === this.query) this.status.textContent = error.message;
    }
  }

  showKeys(keys) {
    const seen = JSON.stringify(keys);
    if (seen === this.seen && this.query.kind === this.seenKind) return; // so that the focus stays on its button
    [this.seen, this.seenKind] = [seen, this.query.kind];
    const wanted = keys.filter(({ key }) => !this.query.kind || key.startsWith(`${this.query.kind}:`));
    this.keys.replaceChildren(...(wanted.length ? wanted.slice(0, MOST).map((each) => this.key(each)) : [empty(R.nothing, R.columns.length)]));
  }

  key({ key, sent, bounced, complained, bounce_rate, complaint_rate, held }) {
    const act = el("button", { type: "button", onclick: () => (held ? this.resume(key) : this.hold(key)) }, held ? R.resume : R.hold);
    return row({ "data-key": key }, named(key), [
      count(sent),
      share(bounced, bounce_rate),
      share(complained, complaint_rate),
      el("div", { class: "actions" }, held && el("a", { href: link("waiting"), class: "badge stopped" }, R.held), act),
    ]);
  }

  showDomains(domains) {
    const cells = (each) => Object.keys(R.counts).map((name) => count(each[name]));
    const rows = domains.map((each) => row({ "data-domain": each.domain }, el("a", { href: link("reputation", each.domain) }, each.domain), cells(each)));
    this.domains.replaceChildren(...(rows.length ? rows : [empty(R.noDomains, 1 + Object.keys(R.counts).length)]));
  }

  hold(key) {
    return this.change(R.holdAsk(key), R.hold, () => ask("POST", "/v1/holds", { key, reason: R.reason }), R.isHeld(key));
  }

  resume(key) {
    return this.change(R.resumeAsk(key), R.resume, () => ask("DELETE", `/v1/holds/${encodeURIComponent(key)}`), T.waiting.resumed(key));
  }

  async change(question, action, work, done) {
    if (!(await confirmed(question, action))) return;
    try {
      await work();
      await this.refresh();
      this.status.textContent = done;
    } catch (error) {
      this.status.textContent = error.message;
    }
  }
}

const share = (number, rate) => el("span", { class: "share" }, el("span", {}, count(number)), el("span", { class: "dim" }, percent(rate)));
const empty = (text, columns) => el("tr", {}, el("td", { colspan: columns, class: "dim nothing" }, text));

/** What a key is about, with a link to its mail. */
function named(key) {
  const [, kind, name] = key.match(/^(topic|tenant):(.*)$/s) ?? [];
  if (kind === "topic") return el("a", { href: link("topics", name) }, R.topic(name));
  if (kind === "tenant") return el("a", { href: link("mail", null, { tenant: name }) }, R.tenant(name));
  return R.wide[key] ?? key;
}
