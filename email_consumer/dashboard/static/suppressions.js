// The suppression list.

import { ask } from "./api.js";
import { confirmed, el } from "./dom.js";
import { moment } from "./format.js";
import { List } from "./list.js";
import { go, link } from "./router.js";
import { T } from "./texts.js";

const PAGE = 50;
const S = T.suppressions;
const path = (address) => `/v1/suppressions/${encodeURIComponent(address)}`;
const pathOf = ({ address, group, tenant, reason }) => `${path(address)}?${new URLSearchParams({ ...(group && { group }), ...(tenant && { tenant }), reason })}`;

/** What an entry stops, in words. */
function scope({ group, tenant, reason }) {
  if (tenant) return S.scope.tenant(tenant);
  if (group) return S.scope.group(group);
  return reason === "unsubscribed" ? S.scope.bulk : S.scope.all;
}

export class Suppressions extends List {
  constructor(section) {
    const wanted = el("input", { id: "suppressed-find", type: "search", autocomplete: "off" });
    const address = el("input", { id: "suppress-address", type: "text", inputmode: "email", autocomplete: "off", required: true });
    const group = el("input", { id: "suppress-group", type: "text", maxlength: 64, pattern: "[A-Za-z0-9_.\\-]+", autocomplete: "off" });
    const detail = el("input", { id: "suppress-detail", type: "text", maxlength: 500, autocomplete: "off" });
    super(section, {
      title: S.title,
      head: [
        el(
          "form",
          { class: "bar", onsubmit: (event) => this.submit(event, () => go("suppressions", null, { address: wanted.value.trim() })) },
          el("label", { for: "suppressed-find" }, S.address),
          wanted,
          el("button", {}, T.lookUp),
        ),
        el(
          "form",
          { class: "bar", onsubmit: (event) => this.submit(event, () => this.add(address, group, detail)) },
          el("label", { for: "suppress-address" }, S.block),
          address,
          el("label", { for: "suppress-group" }, S.group),
          group,
          el("label", { for: "suppress-detail" }, S.because),
          detail,
          el("button", {}, S.add),
        ),
      ],
      empty: S.empty,
      read: (next) => (wanted.value.trim() ? this.lookUp(wanted.value.trim()) : this.page(next)),
      row: (entry) => this.entry(entry),
    });
    this.wanted = wanted;
  }

  async open(place) {
    this.wanted.value = place.query.address ?? "";
    await super.open(place);
  }

  submit(event, work) {
    event.preventDefault();
    work();
  }

  async page(next) {
    const query = new URLSearchParams({ limit: PAGE, after: next ?? "" });
    const { suppressions: items, next: more } = await ask("GET", `/v1/suppressions?${query}`);
    return { items, next: more };
  }

  async lookUp(address) {
    const entry = await ask("GET", path(address));
    return { items: [entry, ...entry.also], next: null };
  }

  entry(entry) {
    const remove = async () => {
      if (await confirmed(S.ask(scope(entry), entry.address), S.remove)) await this.remove(entry, item);
    };
    const item = el(
      "li",
      { class: "row", "data-address": entry.address, "data-group": entry.group ?? "", "data-tenant": entry.tenant ?? "" },
      el(
        "div",
        { class: "line" },
        el("a", { class: "open", href: link("mail", null, { email: entry.address }) }, entry.address),
        el("span", { class: "badge" }, entry.reason),
        el("span", {}, scope(entry)),
        el("span", { class: "grow dim" }, entry.detail),
        moment(entry.created_at),
      ),
      el("div", { class: "actions" }, el("button", { type: "button", onclick: remove }, S.remove)),
    );
    return item;
  }

  async add(address, group, detail) {
    const new_ = { address: address.value, group: group.value || null, detail: detail.value };
    const entry = await this.attempt(() => ask("POST", "/v1/suppressions", new_));
    if (!entry) return;
    this.wanted.value = address.value = group.value = detail.value = "";
    await this.reload();
    if (![...this.rows.children].some(({ dataset }) => dataset.address === entry.address)) this.rows.prepend(this.row(entry)); // its place may be pages away
    this.showStatus(S.blocked(entry.group && scope(entry), entry.address));
  }

  async remove(entry, item) {
    const removed = await this.attempt(async () => {
      await ask("DELETE", pathOf(entry));
      return true;
    });
    if (!removed) return;
    item.remove();
    this.showStatus(S.allowed((entry.group || entry.tenant) && scope(entry), entry.address));
  }
}
