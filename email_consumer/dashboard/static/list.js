// A list that is read page by page.

import { el } from "./dom.js";

export class List {
  /**
   * `head`: elements above the rows. `read(next)` asks for a page, `next` being what the page before ended with (null at
   * first), and answers { items, next }. `row(item)` makes the element of an item. `empty`: what an empty list says.
   */
  constructor(section, { title, head = [], read, row, empty }) {
    this.read = read;
    this.row = row;
    this.empty = empty;
    this.rows = el("ul", { class: "rows" });
    this.status = el("p", { class: "status", role: "status" });
    this.more = el("button", { type: "button", hidden: true, onclick: () => this.load() }, "More");
    const reload = el("button", { type: "button", onclick: () => this.open() }, "Reload");
    section.replaceChildren(
      el("div", { class: "list-head" }, el("h2", {}, title), el("span", { class: "spacer" }), reload),
      ...head,
      this.status,
      this.rows,
      this.more,
    );
  }

  /** From the beginning. */
  async open() {
    this.next = null;
    this.rows.replaceChildren();
    await this.load();
  }

  close() {
    this.turn = null;
  }

  async load() {
    const turn = (this.turn = {}); // whoever asked later is answered alone
    const page = await this.attempt(() => this.read(this.next));
    if (!page || turn !== this.turn) return;
    this.next = page.next;
    this.more.hidden = page.next == null;
    this.rows.append(...page.items.map((item) => this.row(item)));
    this.say(this.rows.children.length ? "" : this.empty);
  }

  /** What `work` answers; undefined if the sidecar refused it, which is then said. */
  async attempt(work) {
    try {
      return await work();
    } catch (error) {
      this.say(error.message, true);
      return undefined;
    }
  }

  say(text, fault = false) {
    this.status.textContent = text;
    this.status.classList.toggle("fault", fault);
  }
}

/** A row with a summary line; `fill` makes what it unfolds to, when it is unfolded first. */
export function folded(summary, fill) {
  const inside = el("div", { class: "unfolded" });
  const opened = async (event) => {
    if (!event.target.open || inside.hasChildNodes()) return;
    inside.append(el("p", { class: "dim" }, "…"));
    try {
      inside.replaceChildren(...(await fill()));
    } catch (error) {
      inside.replaceChildren(el("p", { class: "fault" }, error.message));
    }
  };
  return el("details", { ontoggle: opened }, el("summary", {}, ...summary), inside);
}
