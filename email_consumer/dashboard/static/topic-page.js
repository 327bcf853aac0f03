// One topic: how far it is, how long it takes, what became of its mail and why; its files, and the way to stop it.

import { ask } from "./api.js";
import { attributes, confirmed, el } from "./dom.js";
import { count, decimal, duration, moment, percent } from "./format.js";
import { inWords, stateBadge } from "./mail-row.js";
import { link } from "./router.js";
import { T } from "./texts.js";

const REFRESH = 2_000;
const path = (topic) => `/v1/topics/${encodeURIComponent(topic)}`;

/** Statuses of mail and the states that they are listed by. */
const STATUSES = { Created: "queued", Processed: "sending", Sent: "sent", Failed: "failed", Stopped: "stopped" };
const RESULTS = { Delivery: "delivered", DeliveryDelay: "delayed", Bounce: "bounced", Complaint: "complained" };

export class TopicPage {
  constructor(section) {
    this.title = el("h2", { class: "grow" });
    this.cancelling = el("button", { type: "button", class: "danger", hidden: true, onclick: () => this.cancel() }, T.topics.cancel);
    this.status = el("p", { class: "status", role: "status" });
    this.receipt = el("p", { class: "receipt", role: "status" });
    this.body = el("div");
    section.append(
      el("div", { class: "list-head" }, el("a", { href: link("topics") }, `← ${T.topics.title}`), this.title, this.cancelling),
      this.status,
      this.receipt,
      this.body,
    );
  }

  async open({ item }) {
    this.name = item;
    this.title.textContent = item;
    this.cancelling.hidden = true;
    this.receipt.textContent = "";
    this.body.replaceChildren();
    this.show("…");
    clearInterval(this.timer);
    this.timer = setInterval(() => document.hidden || this.refresh(), REFRESH);
    await this.refresh();
  }

  close() {
    this.name = null;
    clearInterval(this.timer);
  }

  show(text, error = false) {
    this.status.textContent = text;
    this.status.classList.toggle("error", error);
  }

  async refresh() {
    const name = this.name;
    try {
      const [topic, reasons] = await Promise.all([ask("GET", path(name)), ask("GET", `/v1/reasons?${new URLSearchParams({ topic_id: name })}`)]);
      if (name !== this.name) return;
      this.cancelling.hidden = topic.progress.finished || (!topic.known && !topic.progress.unseen);
      this.show(topic.known ? "" : T.topics.none(name));
      if (topic.cancellation) this.showReceipt(topic.cancellation);
      const seen = JSON.stringify([topic, reasons]);
      if (seen === this.seen && this.body.hasChildNodes()) return;
      this.seen = seen;
      this.body.replaceChildren(...(topic.known ? body(name, topic, reasons) : []));
    } catch (error) {
      if (name === this.name) this.show(error.message, true);
    }
  }

  async cancel() {
    const name = this.name;
    if (!(await confirmed(T.topics.cancelAsk(name), T.topics.cancel))) return;
    try {
      this.showReceipt(await ask("DELETE", path(name)));
      await this.refresh();
    } catch (error) {
      this.show(error.message, true);
    }
  }

  showReceipt(receipt) {
    const numbers = Object.fromEntries(Object.entries(receipt).map(([key, value]) => [key, typeof value === "number" ? count(value) : value]));
    this.receipt.textContent = T.topics.receipt(numbers, receipt.final);
    this.receipt.classList.toggle("final", receipt.final);
  }
}

function body(name, topic, { reasons, examined }) {
  const mails = (state) => link("mail", null, { topic_id: name, state });
  const file = (text, state) => el("a", { class: "button", download: "", href: `/v1/messages.csv?${new URLSearchParams({ topic_id: name, ...(state && { state }) })}` }, text);
  const numbers = (names, counts) =>
    el(
      "ul",
      { class: "numbers" },
      ...Object.entries(names).map(([key, state]) => el("li", {}, el("a", { href: mails(state) }, T.states[state]), el("b", {}, count(counts[key] ?? 0)))),
    );
  return [
    progress(topic.progress),
    el(
      "div",
      { class: "columns even" },
      el("div", {}, el("h3", {}, T.topics.byState), numbers(STATUSES, topic.request_counts), el("h3", {}, T.topics.results), numbers(RESULTS, topic.result_counts), rates(topic.progress)),
      el(
        "div",
        {},
        el("h3", {}, T.topics.why),
        reasons.length
          ? el("ul", { class: "history reasons" }, ...reasons.map(({ state, reason, mails: number }) => el("li", {}, el("a", { href: mails(state) }, stateBadge(state)), el("b", {}, count(number)), el("span", {}, inWords(reason) || T.none))))
          : el("p", { class: "dim" }, T.topics.noReasons),
        reasons.length > 0 && el("p", { class: "dim" }, T.topics.examined(count(examined))),
        el("h3", { class: "files" }, T.topics.files),
        el("p", { class: "bar" }, file(T.topics.bouncedFile, "bounced"), file(T.topics.complainedFile, "complained"), file(T.topics.allFile)),
      ),
    ),
  ];
}

function progress(state) {
  const done = state.total ? (state.total - state.remaining) / state.total : 0;
  const pace = decimal(state.sent_per_second);
  const left = state.remaining_seconds == null ? T.topics.stalled : T.topics.eta(duration(state.remaining_seconds), pace);
  const words = state.finished ? T.topics.finished : state.remaining ? `${T.topics.remaining(count(state.remaining))}; ${left}.` : "";
  return el(
    "div",
    { class: "progress" },
    el("progress", { max: 1, value: done, "aria-label": T.topics.progress }),
    el("p", {}, el("b", {}, T.topics.done((100 * done).toFixed(done > 0 && done < 1 ? 1 : 0))), ` · ${count(state.total - state.remaining)} / ${count(state.total)} · ${words}`),
    state.unseen > 0 && el("p", { class: "dim" }, T.topics.unseen(count(state.unseen))),
    attributes([
      [T.topics.first, moment(state.first_sent_at)],
      [T.topics.last, moment(state.last_sent_at)],
    ]),
  );
}

const rates = (state) =>
  el("p", { class: "dim rates" }, ...Object.entries(T.topics.rates).map(([key, name]) => el("span", {}, `${percent(state[key])} ${name}`)));
