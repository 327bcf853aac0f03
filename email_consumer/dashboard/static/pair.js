// A place that has a list, and a page for each of its items.

import { el } from "./dom.js";

export class Pair {
  /** `List` and `Page` are classes whose instances fill the element that they get. */
  constructor(section, List, Page) {
    const boxes = [el("div"), el("div", { hidden: true })];
    section.append(...boxes);
    this.views = [new List(boxes[0]), new Page(boxes[1])];
    this.boxes = boxes;
  }

  async open(place) {
    const index = place.item == null ? 0 : 1;
    this.boxes.forEach((box, number) => (box.hidden = number !== index));
    await this.views[index].open(place);
  }

  close() {
    this.views.forEach((view) => view.close());
  }
}
