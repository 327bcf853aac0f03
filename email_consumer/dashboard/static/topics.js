// Topics with their statistics, the most recently active first.

import { ask } from "./api.js";
import { el } from "./dom.js";
import { compact, count, moment } from "./format.js";
import { List } from "./list.js";
import { go, link } from "./router.js";
import { T } from "./texts.js";

const REFRESH = 2_000;
const PAGE = 25;
const sum = (counts) => Object.values(counts).reduce((total, value) => total + value, 0);

/** Each bar is a share of all mail of the topic; some lead to the mail that is in a state. */
const BARS = [
  ["all", (topic) => sum(topic.request_counts), ""],
  ["sent", (topic) => topic.request_counts.Sent],
  ["delivered", (topic) => topic.result_counts.Delivery, "delivered"],
  ["opened", (topic) => topic.result_counts.Open],
  ["bounced", (topic) => topic.result_counts.Bounce, "bounced"],
  ["complained", (topic) => topic.result_counts.Complaint, "complained"],
];

export class Topics extends List {
  constructor(section) {
    const wanted = el("input", { id: "topic-find", type: "search", autocomplete: "off", required: true });
    const lookUp = (event) => {
      event.preventDefault();
      go("topics", wanted.value.trim());
    };
    super(section, {
      title: T.topics.title,
      head: [el("form", { class: "bar", onsubmit: lookUp }, el("label", { for: "topic-find" }, T.topics.find), wanted, el("button", {}, T.lookUp))],
      empty: T.topics.empty,
      read: page,
      row: (topic) => this.shown(topic),
    });
    this.topics = new Map();
  }

  async open(place) {
    this.topics.clear();
    clearInterval(this.timer);
    this.timer = setInterval(() => document.hidden || this.refresh(), REFRESH);
    await super.open(place);
  }

  close() {
    super.close();
    clearInterval(this.timer);
  }

  /** Updates the topics shown and adds new ones on top, without moving the others or the focus. */
  async refresh() {
    const turn = this.turn;
    const latest = await this.attempt(() => page(null));
    if (!latest || turn !== this.turn) return;
    for (const topic of latest.items.reverse()) {
      if (this.topics.has(topic.topic_id)) this.topics.get(topic.topic_id).update(topic);
      else this.rows.prepend(this.shown(topic));
    }
    this.showStatus(this.rows.children.length ? "" : this.empty);
  }

  shown(topic) {
    const known = this.topics.get(topic.topic_id);
    if (known) {
      known.update(topic); // it moved to the next page meanwhile
      return known.element;
    }
    const row = new TopicRow(topic);
    this.topics.set(topic.topic_id, row);
    return row.element;
  }
}

async function page(next) {
  const query = new URLSearchParams({ limit: PAGE });
  if (next) query.set("after", next);
  const { topics: items, next: more } = await ask("GET", `/v1/topics?${query}`);
  return { items, next: more };
}

class TopicRow {
  constructor(topic) {
    const name = topic.topic_id;
    this.bars = BARS.map(([bar, , state]) => {
      const title = state == null ? T.topics.bars[bar] : el("a", { href: link("mail", null, { topic_id: name, state }) }, T.topics.bars[bar]);
      return el("div", { class: `measure ${bar}` }, el("span", {}, title), el("b"), el("i"));
    });
    this.note = el("span", { class: "dim" });
    this.element = el(
      "li",
      { class: "row topic", "data-topic": name },
      el("div", { class: "line" }, el("a", { class: "open name", href: link("topics", name) }, name), el("span", { class: "grow" }), this.note),
      el("div", { class: "measures" }, ...this.bars),
    );
    this.update(topic);
  }

  update(topic) {
    const whole = sum(topic.request_counts);
    BARS.forEach(([, number], index) => {
      const value = number(topic) ?? 0;
      const [, text, bar] = this.bars[index].children;
      text.textContent = compact(value);
      text.title = count(value);
      bar.style.setProperty("--share", whole ? Math.min(1, value / whole) : 0);
    });
    const { Created: created, Processed: processed, Failed: failed, Stopped: stopped } = topic.request_counts;
    const notes = [created + processed > 0 && T.topics.left(count(created + processed)), failed && T.topics.failed(count(failed)), stopped && T.topics.stopped(count(stopped))].filter(Boolean);
    const ended = topic.cancelled_at ? [T.topics.cancelledAt, moment(topic.cancelled_at)] : [T.topics.active, moment(topic.active_at)];
    this.note.replaceChildren(notes.join(", "), notes.length ? " · " : "", ...ended);
  }
}
