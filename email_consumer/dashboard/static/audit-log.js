// The audit log: who did what, latest first; narrowed by key, action and time; as a file.

import { ask } from "./api.js";
import { el } from "./dom.js";
import { field, instant } from "./form.js";
import { moment } from "./format.js";
import { List } from "./list.js";
import { go, link } from "./router.js";
import { T } from "./texts.js";

const A = T.audit;
const PAGE = 50;
const FILTERS = ["key", "action", "since", "until"];

export class AuditLog extends List {
  constructor(section) {
    const key = el("input", { id: "audit-key", type: "search", autocomplete: "off", maxlength: 100 });
    const action = el("input", { id: "audit-action", type: "search", autocomplete: "off", maxlength: 200 });
    const since = el("input", { id: "audit-since", type: "datetime-local" });
    const until = el("input", { id: "audit-until", type: "datetime-local" });
    const csv = el("a", { class: "button", download: "" }, T.exportCsv);
    const ndjson = el("a", { class: "button second", download: "" }, T.exportJson);
    const submit = (event) => {
      event.preventDefault();
      go("audit", null, { key: key.value.trim(), action: action.value.trim(), since: instant(since), until: instant(until) });
    };
    super(section, {
      title: A.title,
      actions: [csv, ndjson],
      head: [
        el("p", { class: "dim intro" }, A.intro),
        el(
          "form",
          { class: "bar filters narrow", onsubmit: submit },
          field(A.key, key),
          field(A.action, action),
          field(A.since, since),
          field(A.until, until),
          el("button", { class: "primary" }, A.apply),
          el("button", { type: "button", onclick: () => go("audit") }, A.clear),
        ),
      ],
      empty: A.empty,
      read: (next) => this.page(next),
      row: entry,
    });
    Object.assign(this, { csv, ndjson, fields: { key, action, since, until } });
  }

  async open(place) {
    this.narrowed = Object.fromEntries(FILTERS.filter((name) => place.query[name]).map((name) => [name, place.query[name]]));
    for (const [name, input] of Object.entries(this.fields)) {
      const value = this.narrowed[name] ?? "";
      input.value = input.type === "datetime-local" ? local(value) : value;
    }
    const query = new URLSearchParams(this.narrowed);
    this.csv.href = `/v1/audit.csv?${query}`;
    this.ndjson.href = `/v1/audit.ndjson?${query}`;
    await super.open(place);
  }

  async page(next) {
    const query = new URLSearchParams({ ...this.narrowed, limit: PAGE });
    if (next) query.set("after", next);
    const { actions: items, next: more } = await ask("GET", `/v1/audit?${query}`);
    return { items, next: more };
  }
}

function entry({ id, at, key_id, key_name, action, target, status, address }) {
  return el(
    "li",
    { class: "row audit-row", "data-entry": id },
    moment(at),
    el("a", { class: "open", href: link("audit", null, { key: key_id }), title: key_id }, key_name),
    el("b", {}, action),
    el("span", {}, target),
    el("span", { class: status < 400 ? "dim" : "error" }, String(status)),
    el("span", { class: "dim" }, address),
  );
}

/** A moment as the value of a datetime-local field, in the viewer's time zone. */
function local(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return "";
  return new Date(at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
