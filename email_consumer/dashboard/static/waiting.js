// What waits, and why: the lanes' queues, scheduled mail, tenants, what blocks mail, ramps, and what waits for a decision.

import { ask, unless } from "./api.js";
import { confirmed, el } from "./dom.js";
import { count, day, duration, moment } from "./format.js";
import { link } from "./router.js";
import { row, table } from "./table.js";
import { T } from "./texts.js";

const REFRESH = 5_000;
const MOST_TENANTS = 20;
const W = (...names) => names.map((name) => T.waiting[name]);
const many = ({ mails, more }) => (more ? T.waiting.many(count(mails)) : count(mails));
const blocks = ({ condition }) => condition === "down" || condition === "held";

export class Waiting {
  constructor(section) {
    this.lanes = el("tbody");
    this.causes = el("ul", { class: "history causes" });
    this.status = el("p", { class: "status", role: "status" });
    this.tenants = el("tbody");
    this.tenantsBox = el("div", { hidden: true }, el("h3", {}, T.waiting.tenants), table(T.waiting.tenants, W("tenant", "lane", "due", "scheduled", "next"), this.tenants));
    this.ramps = el("tbody");
    this.rampsBox = el("div", { hidden: true }, el("h3", {}, T.waiting.ramps), table(T.waiting.ramps, W("domain", "today", "allowed", "left", "begins", "ends"), this.ramps));
    section.append(
      el("div", { class: "list-head" }, el("h2", {}, T.waiting.title)),
      this.status,
      table(T.waiting.title, W("lane", "queue", "oldest", "due", "scheduled", "next"), this.lanes),
      el("h3", {}, T.waiting.blocked),
      this.causes,
      this.rampsBox,
      this.tenantsBox,
    );
    this.stored = null;
    this.holds = [];
    this.state = null;
  }

  async open() {
    clearInterval(this.timer);
    this.timer = setInterval(() => document.hidden || this.refresh(), REFRESH);
    await this.refresh();
  }

  close() {
    clearInterval(this.timer);
  }

  /** Each second, with the state of the live part. */
  live(state, now) {
    this.state = state;
    this.now = now;
    this.show();
  }

  async refresh() {
    try {
      const [stored, held, ramped] = await Promise.all([ask("GET", "/v1/waiting"), unless(404, ask("GET", "/v1/holds")), unless(404, ask("GET", "/v1/ramps"))]);
      this.stored = stored;
      this.holds = held?.holds ?? [];
      this.showRamps(ramped?.ramps ?? []);
      this.showTenants(stored.lanes);
      this.status.textContent = "";
    } catch (error) {
      this.status.textContent = error.message;
    }
    this.show();
  }

  show() {
    if (!this.state || !this.stored) return;
    this.lanes.replaceChildren(...Object.entries(this.stored.lanes).map(([lane, stored]) => this.lane(lane, stored)));
    const { parts, in_doubt, dead_letters } = this.state;
    const seen = JSON.stringify([this.holds, parts.filter(blocks), in_doubt, dead_letters]);
    if (seen === this.seen) return; // so that the focus stays on its button
    this.seen = seen;
    this.causes.replaceChildren(...this.blocking());
  }

  showRamps(ramps) {
    this.rampsBox.hidden = !ramps.length;
    const rows = ramps.map(({ domain, released, limit, mails, begins, ends }) => row({ "data-ramp": domain }, domain, [count(released), limit == null ? T.waiting.noLimit : count(limit), count(mails), day(begins), day(ends)]));
    this.ramps.replaceChildren(...rows);
  }

  showTenants(lanes) {
    const all = Object.entries(lanes).flatMap(([lane, { tenants }]) => tenants.map((each) => ({ lane, ...each })));
    this.tenantsBox.hidden = !all.some(({ tenant }) => tenant);
    const most = all.sort((one, other) => other.due.mails - one.due.mails || other.scheduled.mails - one.scheduled.mails).slice(0, MOST_TENANTS);
    const rows = most.map(({ tenant, lane, due, scheduled }) =>
      row(
        { "data-tenant": tenant ?? "" },
        tenant ? el("a", { href: link("mail", null, { tenant, state: "queued" }) }, tenant) : T.waiting.noTenant,
        [T.lanes[lane], many(due), many(scheduled), moment(scheduled.first_at) ?? T.none],
      ),
    );
    this.tenants.replaceChildren(...rows);
  }

  lane(lane, { scheduled, due }) {
    const queue = this.state.lanes[lane];
    const scheduledMail = scheduled.mails ? el("a", { href: link("mail", null, { state: "scheduled", lane }) }, many(scheduled)) : "0";
    const cells = [
      lane in this.state.lanes ? count(queue?.waiting) : T.oneLane,
      queue?.oldest_at ? duration(this.now - queue.oldest_at) : T.none,
      many(due),
      scheduledMail,
      moment(scheduled.first_at) ?? T.none,
    ];
    return row({ "data-lane": lane }, T.lanes[lane], cells);
  }

  hold({ key, holder, reason, since, until, mails }) {
    return el(
      "li",
      { class: "warn", "data-hold": key },
      el("span", {}, T.waiting.held(key, holder, reason)),
      el("span", {}, T.waiting.since, moment(since)),
      until && el("span", {}, T.waiting.until, moment(until)),
      el("span", {}, T.waiting.heldMail(count(mails))),
      el("button", { type: "button", onclick: () => this.resume(key, mails) }, T.waiting.resume),
    );
  }

  async resume(key, mails) {
    if (!(await confirmed(T.waiting.resumeAsk(key, count(mails)), T.waiting.resume))) return;
    try {
      await ask("DELETE", `/v1/holds/${encodeURIComponent(key)}`);
      await this.refresh();
      this.status.textContent = T.waiting.resumed(key);
    } catch (error) {
      this.status.textContent = error.message;
    }
  }

  blocking() {
    const { parts, in_doubt, dead_letters } = this.state;
    const blocked = parts.filter(blocks);
    const lines = blocked.map(({ name, condition, text }) => el("li", { class: "warn" }, T.partProblem(name, condition === "held", text)));
    lines.push(...this.holds.map((hold) => this.hold(hold)));
    if (!lines.length) lines.push(el("li", {}, T.waiting.nothing));
    if (in_doubt) lines.push(el("li", {}, el("a", { href: link("in-doubt") }, T.waiting.doubt(count(in_doubt)))));
    if (dead_letters) lines.push(el("li", {}, el("a", { href: link("dead-letters") }, T.waiting.dead(count(dead_letters)))));
    return lines;
  }
}
