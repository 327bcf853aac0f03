// Mail, latest first and live: all of it, or narrowed by recipient, domain, topic, state and lane.

import { ask, unless } from "./api.js";
import { el } from "./dom.js";
import { field, select } from "./form.js";
import { moment } from "./format.js";
import { List } from "./list.js";
import { mailRow } from "./mail-row.js";
import { go } from "./router.js";
import { T } from "./texts.js";

const PAGE = 50;
const REFRESH = 2_000;
const FILTERS = ["email", "domain", "topic_id", "tenant", "state", "lane", "since", "until"];

export class MailList extends List {
  constructor(section) {
    const who = el("input", { id: "mail-who", type: "search", autocomplete: "off", maxlength: 320 });
    const topic = el("input", { id: "mail-topic", type: "search", autocomplete: "off", maxlength: 256 });
    const state = select("mail-state", T.states);
    const lane = select("mail-lane", T.lanes);
    const csv = el("a", { class: "button", download: "" }, T.exportCsv);
    const ndjson = el("a", { class: "button second", download: "" }, T.exportJson);
    const suppressed = el("p", { class: "status warning", hidden: true });
    const submit = (event) => {
      event.preventDefault();
      this.submit();
    };
    super(section, {
      title: T.mail.title,
      actions: [csv, ndjson],
      head: [
        el(
          "form",
          { class: "bar filters narrow", "aria-label": T.mail.filters, onsubmit: submit, onchange: ({ target }) => target.tagName === "SELECT" && this.submit() },
          field(T.mail.who, who),
          field(T.mail.topic, topic),
          field(T.mail.state, state),
          field(T.mail.lane, lane),
          el("button", { class: "primary" }, T.mail.apply),
          el("button", { type: "button", onclick: () => go("mail") }, T.mail.clear),
        ),
        suppressed,
      ],
      empty: "",
      read: (next) => this.page(next),
      row: mailRow,
    });
    Object.assign(this, { who, topic, state, lane, csv, ndjson, suppressed });
  }

  async open(place) {
    this.narrowed = Object.fromEntries(FILTERS.filter((name) => place.query[name]).map((name) => [name, place.query[name]]));
    const { email, domain, topic_id, state, lane } = this.narrowed;
    this.who.value = email ?? (domain ? `@${domain}` : "");
    this.topic.value = topic_id ?? "";
    this.state.value = state ?? "";
    this.lane.value = lane ?? "";
    const query = new URLSearchParams(this.narrowed);
    this.csv.href = `/v1/messages.csv?${query}`;
    this.ndjson.href = `/v1/messages.ndjson?${query}`;
    this.showSuppressed(email);
    clearInterval(this.timer);
    this.timer = setInterval(() => document.hidden || this.refresh(), REFRESH);
    await super.open(place);
  }

  close() {
    super.close();
    clearInterval(this.timer);
  }

  /** What was typed becomes the location; a text without @ is a uuid. */
  submit() {
    const who = this.who.value.trim();
    const query = { ...this.narrowed, email: "", domain: "", topic_id: this.topic.value.trim(), state: this.state.value, lane: this.lane.value };
    if (who && !who.includes("@")) go("mail", who);
    else if (who.startsWith("@")) go("mail", null, { ...query, domain: who.slice(1) });
    else go("mail", null, { ...query, email: who });
  }

  async page(next) {
    const query = new URLSearchParams({ ...this.narrowed, limit: PAGE });
    if (next) query.set("after", next);
    const { mails: items, next: more } = await ask("GET", `/v1/messages?${query}`);
    this.empty = more ? T.mail.lookedAt : Object.keys(this.narrowed).length ? T.mail.nothing : T.mail.empty;
    return { items, next: more };
  }

  /** Adds new mail on top, and shows what became of the mail that is there, without moving the focus. */
  async refresh() {
    const turn = this.turn;
    const page = await this.page(null).catch(() => null);
    if (!page || turn !== this.turn) return;
    const rows = new Map([...this.rows.children].map((row) => [row.dataset.uuid, row]));
    for (const mail of page.items.reverse()) {
      const row = rows.get(mail.uuid);
      if (!row) this.rows.prepend(mailRow(mail));
      else if (row.dataset.state !== mail.state && !row.contains(document.activeElement)) row.replaceWith(mailRow(mail));
    }
    while (this.rows.children.length > 10 * PAGE) this.rows.lastChild.remove();
    if (this.rows.children.length) this.showStatus("");
  }

  async showSuppressed(email) {
    this.suppressed.hidden = true;
    if (!email) return;
    const entry = await unless(404, ask("GET", `/v1/suppressions/${encodeURIComponent(email)}`)).catch(() => null);
    if (!entry || this.narrowed.email !== email) return;
    this.suppressed.hidden = false;
    this.suppressed.replaceChildren(
      ...[entry, ...entry.also].flatMap((each) => [el("span", {}, T.mail.listed(each), moment(each.created_at)), el("br")]),
    );
  }
}
