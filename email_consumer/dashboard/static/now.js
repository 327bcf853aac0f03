// What happens now: the plot, the parts that mail depends on, the numbers, what needs somebody, and the latest mail.

import { ask } from "./api.js";
import { byId, el } from "./dom.js";
import { compactRow } from "./mail-row.js";
import { Plot } from "./plot.js";
import { link } from "./router.js";
import { buildTiles, needs, showParts, showTiles } from "./state.js";
import { T } from "./texts.js";

const REFRESH = 2_000;
const LATEST = 8;

export class Now {
  constructor() {
    byId("parts").ariaLabel = T.parts;
    byId("rate-title").textContent = T.rateTitle;
    byId("plot").ariaLabel = T.plotLabel;
    byId("tiles").ariaLabel = T.numbers;
    byId("attention-title").textContent = T.attention;
    for (const [name, text] of Object.entries(T.legend)) byId(`name-${name}`).textContent = text;
    this.latest = el("ul", { class: "rows compact" });
    byId("just-sent").append(
      el("div", { class: "list-head" }, el("h2", {}, T.justSent), el("span", { class: "spacer" }), el("a", { href: link("mail") }, T.allMail)),
      this.latest,
    );
    this.plot = new Plot();
  }

  build(linked) {
    buildTiles(linked);
  }

  fill(points) {
    this.plot.fill(points);
  }

  show(point, state) {
    this.plot.add(point);
    showTiles(state, this.plot, point[0]);
    showParts(state.parts);
    const todo = needs(state, this.plot, point[0]);
    const text = JSON.stringify(todo);
    if (text === this.todo) return; // so that what is read or selected stays
    this.todo = text;
    byId("attention").replaceChildren(
      ...(todo.length ? todo.map(({ name, href, what }) => el("li", {}, href ? el("a", { href }, name) : el("b", {}, name), ` ${what}`)) : [el("li", { class: "dim" }, T.nothingToDo)]),
    );
  }

  open() {
    this.refresh();
    this.timer = setInterval(() => document.hidden || this.refresh(), REFRESH);
  }

  close() {
    clearInterval(this.timer);
  }

  async refresh() {
    const page = await ask("GET", `/v1/messages?limit=${LATEST}`).catch(() => null);
    if (page) this.latest.replaceChildren(...page.mails.map(compactRow));
  }
}
