// Search by address or uuid, with the full history.

import { ask } from "./api.js";
import { el } from "./dom.js";
import { history } from "./history.js";
import { moment } from "./format.js";
import { folded, List } from "./list.js";

const PAGE = 25;

export class Search extends List {
  constructor(section) {
    const wanted = el("input", { id: "wanted", type: "search", autocomplete: "off", required: true });
    const listed = el("p", { class: "dim" });
    const search = (event) => {
      event.preventDefault();
      this.show(null);
    };
    super(section, {
      title: "Search",
      head: [
        el(
          "form",
          { class: "bar", role: "search", onsubmit: search },
          el("label", { for: "wanted" }, "Address or uuid"),
          wanted,
          el("button", { class: "primary" }, "Search"),
        ),
        listed,
      ],
      empty: "",
      read: (next) => (this.narrowed ? this.mails(this.narrowed, next) : this.page(wanted.value.trim(), next)),
      row: (mail) => (mail.suppressed ? suppressed(mail.suppressed) : row(mail)),
    });
    this.wanted = wanted;
    this.listed = listed;
    this.narrowed = null;
  }

  async find(text) {
    this.wanted.value = text;
    await this.show(null);
  }

  /** All mail of a topic that is in a state. */
  async list(topic, state) {
    this.wanted.value = "";
    this.empty = "Nothing found.";
    await this.show({ topic_id: topic, state });
  }

  /** What is narrowed by these parameters; null: what is wanted by address or uuid. */
  async show(narrowed) {
    this.narrowed = narrowed;
    this.listed.textContent = narrowed ? `Mail of topic ${narrowed.topic_id}: ${narrowed.state}` : "";
    await this.open();
  }

  async page(text, next) {
    if (!text) return { items: [], next: null };
    this.empty = "Nothing found.";
    if (next) return this.mails({ email: text }, next);
    const byUuid = await unless(404, ask("GET", `/v1/messages/${encodeURIComponent(text)}`));
    if (byUuid) return { items: [byUuid], next: null };
    if (!text.includes("@")) return { items: [], next: null };
    const stopped = await unless(404, ask("GET", `/v1/suppressions/${encodeURIComponent(text)}`));
    const { items, next: more } = await this.mails({ email: text }, null);
    const entries = stopped ? [stopped, ...stopped.also] : [];
    return { items: [...entries.map((entry) => ({ suppressed: entry })), ...items], next: more };
  }

  async mails(narrowed, next) {
    const query = new URLSearchParams({ ...narrowed, limit: PAGE });
    if (next) query.set("after", next);
    const { mails: items, next: more } = await ask("GET", `/v1/messages?${query}`);
    return { items, next: more };
  }
}

function row(mail) {
  const state = mail.state.replace("_", " ");
  const summary = [
    el("span", { class: `badge ${state.replace(" ", "-")}` }, state[0].toUpperCase() + state.slice(1)),
    el("span", {}, mail.email),
    mail.topic_id && el("span", { class: "badge" }, mail.topic_id),
    el("span", { class: "grow dim" }, mail.reason ?? ""),
    moment(mail.created_at),
  ];
  const unfold = async () => history(await ask("GET", `/v1/messages/${encodeURIComponent(mail.uuid)}`));
  return el("li", { class: "row", "data-uuid": mail.uuid }, folded(summary, unfold));
}

function suppressed(entry) {
  return el(
    "li",
    { class: "row warning" },
    `${entry.address} is on the suppression list (${entry.reason}${entry.group ? ` from ${entry.group}` : ""}${entry.detail && `: ${entry.detail}`}) since `,
    moment(entry.created_at),
  );
}

async function unless(status, asking) {
  try {
    return await asking;
  } catch (error) {
    if (error.status === status) return null;
    throw error;
  }
}
