// The suppression list.

import { ask } from "./api.js";
import { confirmed, el } from "./dom.js";
import { moment } from "./format.js";
import { List } from "./list.js";

const PAGE = 50;
const path = (address) => `/v1/suppressions/${encodeURIComponent(address)}`;

export class Suppressions extends List {
  /** `find` shows the history of an address. */
  constructor(section, find) {
    const wanted = el("input", { id: "suppressed-find", type: "search", autocomplete: "off" });
    const address = el("input", { id: "suppress-address", type: "text", inputmode: "email", autocomplete: "off", required: true });
    const detail = el("input", { id: "suppress-detail", type: "text", maxlength: 500, autocomplete: "off" });
    super(section, {
      title: "Suppression list",
      head: [
        el(
          "form",
          { class: "bar", onsubmit: (event) => this.submit(event, () => this.open()) },
          el("label", { for: "suppressed-find" }, "Address"),
          wanted,
          el("button", {}, "Look up"),
        ),
        el(
          "form",
          { class: "bar", onsubmit: (event) => this.submit(event, () => this.add(address, detail)) },
          el("label", { for: "suppress-address" }, "Block mail to"),
          address,
          el("label", { for: "suppress-detail" }, "because"),
          detail,
          el("button", {}, "Add"),
        ),
      ],
      empty: "No address is suppressed.",
      read: (next) => (wanted.value.trim() ? this.lookUp(wanted.value.trim()) : this.page(next)),
      row: (entry) => this.entry(entry),
    });
    this.find = find;
    this.wanted = wanted;
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
    return { items: [await ask("GET", path(address))], next: null };
  }

  entry(entry) {
    const remove = async () => {
      if (await confirmed(`Allow mail to ${entry.address} again?`, "Remove")) await this.remove(entry, item);
    };
    const item = el(
      "li",
      { class: "row", "data-address": entry.address },
      el(
        "div",
        { class: "line" },
        el("button", { type: "button", class: "link", onclick: () => this.find(entry.address) }, entry.address),
        el("span", { class: "badge" }, entry.reason),
        el("span", { class: "grow dim" }, entry.detail),
        moment(entry.created_at),
      ),
      el("div", { class: "actions" }, el("button", { type: "button", onclick: remove }, "Remove")),
    );
    return item;
  }

  async add(address, detail) {
    const new_ = { address: address.value, detail: detail.value };
    const entry = await this.attempt(() => ask("POST", "/v1/suppressions", new_));
    if (!entry) return;
    this.wanted.value = address.value = detail.value = "";
    await this.open();
    this.showStatus(`Mail to ${entry.address} is blocked.`);
  }

  async remove(entry, item) {
    const removed = await this.attempt(async () => {
      await ask("DELETE", path(entry.address));
      return true;
    });
    if (!removed) return;
    item.remove();
    this.showStatus(`Mail to ${entry.address} is allowed again.`);
  }
}
