// One recipients' domain: deliveries, delays and bounces by day, and why its mail is delayed.

import { ask } from "./api.js";
import { el } from "./dom.js";
import { count, day } from "./format.js";
import { link } from "./router.js";
import { row, table } from "./table.js";
import { T } from "./texts.js";

const R = T.reputation;
const DAYS = 90;

export class DomainPage {
  constructor(section) {
    this.title = el("h2", { class: "grow" });
    this.status = el("p", { class: "status", role: "status" });
    this.mail = el("a", {}, R.mail);
    this.body = el("div");
    section.append(el("div", { class: "list-head" }, el("a", { href: link("reputation") }, `← ${R.title}`), this.title, this.mail), this.status, this.body);
  }

  async open({ item }) {
    this.domain = item;
    this.title.textContent = item;
    this.mail.href = link("mail", null, { domain: item });
    this.status.textContent = "…";
    this.body.replaceChildren();
    try {
      const { report } = await ask("GET", `/v1/domains?${new URLSearchParams({ domain: item, days: DAYS })}`);
      if (this.domain !== item) return;
      this.status.textContent = report ? "" : R.unknown(item);
      if (report) this.body.replaceChildren(...shown(report));
    } catch (error) {
      if (this.domain === item) this.status.textContent = error.message;
    }
  }

  close() {
    this.domain = null;
  }
}

function shown({ by_day, delay_reasons }) {
  const cells = (each) => Object.keys(R.counts).map((name) => count(each[name]));
  const days = el("tbody", {}, ...[...by_day].reverse().map((each) => row({ "data-day": each.day }, day(each.day), cells(each))));
  const reasons = delay_reasons.map(({ text, delays }) => el("li", {}, el("b", {}, count(delays)), el("span", {}, text)));
  return [
    table(R.byDay, [R.day, ...Object.values(R.counts)], days),
    el("h3", {}, R.why),
    reasons.length ? el("ul", { class: "history" }, ...reasons) : el("p", { class: "dim" }, R.noDelays),
  ];
}
