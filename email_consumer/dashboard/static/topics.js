// Topics with their statistics; cancelling one polls its receipt until it is final.

import { ask } from "./api.js";
import { confirmed, el } from "./dom.js";
import { compact, count, moment } from "./format.js";
import { List } from "./list.js";

const REFRESH = 2_000;
const PAGE = 25;
const path = (topic) => `/v1/topics/${encodeURIComponent(topic)}`;
const sum = (counts) => Object.values(counts).reduce((total, value) => total + value, 0);

/** Each bar is a share of what was created; some lead to the mail that is in a state. */
const BARS = [
  ["Created", (topic) => sum(topic.request_counts)],
  ["Sent", (topic) => topic.request_counts.Sent],
  ["Delivered", (topic) => topic.result_counts.Delivery],
  ["Opened", (topic) => topic.result_counts.Open],
  ["Bounced", (topic) => topic.result_counts.Bounce, "bounced"],
  ["Complained", (topic) => topic.result_counts.Complaint, "complained"],
];

export class Topics extends List {
  /** `showMail(topic, state)` shows the mail of a topic that is in a state. */
  constructor(section, showMail) {
    const wanted = el("input", { id: "topic-find", type: "search", autocomplete: "off" });
    const lookUp = (event) => {
      event.preventDefault();
      this.open();
    };
    super(section, {
      title: "Topics",
      head: [
        el("form", { class: "bar", onsubmit: lookUp }, el("label", { for: "topic-find" }, "Topic"), wanted, el("button", {}, "Look up")),
      ],
      empty: "No topic yet. Mail that carries a topic_id shows here.",
      read: (next) => (wanted.value.trim() ? one(wanted.value.trim()) : page(next)),
      row: (topic) => this.shown(topic),
    });
    this.showMail = showMail;
    this.topics = new Map();
    this.first = () => (wanted.value.trim() ? one(wanted.value.trim()) : page(null));
  }

  async open() {
    this.close();
    this.topics.clear();
    await super.open();
    this.timer = setInterval(() => document.hidden || this.refresh(), REFRESH);
  }

  close() {
    super.close();
    clearInterval(this.timer);
  }

  /** Updates the topics shown and adds new ones on top, without moving the others or the focus. */
  async refresh() {
    const turn = this.turn;
    const latest = await this.attempt(this.first);
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
    const row = new TopicRow(topic, this);
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

async function one(name) {
  const topic = await ask("GET", path(name));
  const items = sum(topic.request_counts) ? [{ ...topic, topic_id: name, cancelled_at: topic.cancellation?.cancelled_at }] : [];
  return { items, next: null };
}

class TopicRow {
  constructor(topic, list) {
    this.name = topic.topic_id;
    this.list = list;
    this.bars = BARS.map(([name, , state]) =>
      el("div", { class: `measure ${name.toLowerCase()}` }, el("span", {}, state ? this.link(name, state) : name), el("b"), el("i")),
    );
    this.note = el("span", { class: "dim" });
    this.receipt = el("p", { class: "receipt", role: "status" });
    const cancel = el("button", { type: "button", class: "danger", onclick: () => this.cancel() }, "Cancel");
    this.element = el(
      "li",
      { class: "row topic", "data-topic": this.name },
      el("div", { class: "line" }, el("b", { class: "name" }, this.name), this.note, el("span", { class: "grow" }), cancel),
      el("div", { class: "measures" }, ...this.bars),
      this.receipt,
    );
    this.update(topic);
  }

  link(name, state) {
    return el("button", { type: "button", class: "link", onclick: () => this.list.showMail(this.name, state) }, name);
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
    const { Failed: failed = 0, Stopped: stopped = 0 } = topic.request_counts;
    const notes = [failed && `${count(failed)} failed`, stopped && `${count(stopped)} stopped`].filter(Boolean);
    this.note.replaceChildren(notes.join(", "), ...(topic.cancelled_at ? [" · cancelled ", moment(topic.cancelled_at)] : []));
  }

  async cancel() {
    const question = `Cancel all unsent mail of ${this.name}? Later mail of this topic is sent as usual.`;
    if (!(await confirmed(question, "Cancel the topic"))) return;
    let receipt = await this.list.attempt(() => ask("DELETE", path(this.name)));
    while (receipt && this.element.isConnected) {
      this.show(receipt);
      if (receipt.final) return;
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      receipt = (await this.list.attempt(() => ask("GET", path(this.name))))?.cancellation;
    }
  }

  show({ cancelled, sent, in_flight, failed, final }) {
    const numbers = `Cancelled ${count(cancelled)} · sent ${count(sent)} · in flight ${count(in_flight)} · failed ${count(failed)}`;
    this.receipt.textContent = `${numbers} · ${final ? "final" : "still counting …"}`;
    this.receipt.classList.toggle("final", final);
  }
}
