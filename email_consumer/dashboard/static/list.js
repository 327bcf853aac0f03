// A paginated list.

import { el } from "./dom.js";
import { T } from "./texts.js";

export class List {
  /**
   * `head`: elements above the rows; `actions`: next to the title. `read(next)` loads a page, `next` being the cursor of the previous page (null at
   * first), and resolves to { items, next }. `row(item)` builds the element of an item. `empty`: text of an empty list.
   */
  constructor(section, { title, head = [], actions = [], read, row, empty }) {
    this.read = read;
    this.row = row;
    this.empty = empty;
    this.rows = el("ul", { class: "rows" });
    this.status = el("p", { class: "status", role: "status" });
    this.more = el("button", { type: "button", hidden: true, onclick: () => this.load() }, T.more);
    const reload = el("button", { type: "button", onclick: () => this.reload() }, T.reload);
    section.replaceChildren(
      el("div", { class: "list-head" }, el("h2", {}, title), el("span", { class: "spacer" }), ...actions, reload),
      ...head,
      this.status,
      this.rows,
      this.more,
    );
  }

  /** From the beginning; what is shown stays until the new rows are there. */
  async reload() {
    this.next = null;
    await this.load(true);
  }

  /** `place` is that of the location. */
  async open(place) {
    this.place = place;
    await this.reload();
  }

  close() {
    this.turn = null;
  }

  async load(replaces = false) {
    const turn = (this.turn = {}); // only the latest request counts
    const page = await this.attempt(() => this.read(this.next));
    if (!page || turn !== this.turn) return;
    this.next = page.next;
    this.more.hidden = page.next == null;
    if (replaces) this.rows.replaceChildren();
    this.rows.append(...page.items.map((item) => this.row(item)));
    this.showStatus(this.rows.children.length ? "" : this.empty);
  }

  /** The result of `work`; undefined, with the error shown, if it failed. */
  async attempt(work) {
    try {
      return await work();
    } catch (error) {
      this.showStatus(error.message, true);
      return undefined;
    }
  }

  /** `content` is text or an element. */
  showStatus(content, error = false) {
    this.status.replaceChildren(content);
    this.status.classList.toggle("error", error);
  }
}

/** A row with a summary line; `fill` builds its content when it is first opened. */
export function folded(summary, fill) {
  const inside = el("div", { class: "unfolded" });
  const opened = async (event) => {
    if (!event.target.open || inside.hasChildNodes()) return;
    inside.append(el("p", { class: "dim" }, "…"));
    try {
      inside.replaceChildren(...(await fill()));
    } catch (error) {
      inside.replaceChildren(el("p", { class: "error" }, error.message));
    }
  };
  return el("details", { ontoggle: opened }, el("summary", {}, ...summary), inside);
}
