// API keys: made, with what they allow; listed; removed. A key itself is shown once.

import { ask } from "./api.js";
import { confirmed, el } from "./dom.js";
import { field, instant, secret, select, separate } from "./form.js";
import { moment } from "./format.js";
import { List } from "./list.js";
import { link } from "./router.js";
import { T } from "./texts.js";

const K = T.keys;

export class ApiKeys extends List {
  constructor(section) {
    const text = (id, more) => el("input", { id, autocomplete: "off", ...more });
    const fields = {
      name: text("key-name", { required: true, maxlength: 100 }),
      topics: text("key-topics"),
      tenant: text("key-tenant", { maxlength: 64 }),
      senders: text("key-senders"),
      lane: select("key-lane", T.lanes, K.any),
      expires: el("input", { id: "key-expires", type: "datetime-local" }),
    };
    const scopes = Object.entries(K.meanings).map(([scope, meaning]) =>
      el("label", { class: "choice" }, el("input", { type: "checkbox", name: "scope", value: scope, checked: scope === "send" }), el("b", {}, scope), ` ${meaning}`),
    );
    const form = el(
      "form",
      { onsubmit: (event) => this.add(event) },
      el("div", { class: "bar filters" }, field(K.name, fields.name), field(K.expires, fields.expires), el("button", { class: "primary" }, K.add)),
      el("fieldset", { class: "bar" }, el("legend", {}, K.scopes), ...scopes),
      el(
        "details",
        {},
        el("summary", {}, K.limits),
        el("div", { class: "bar filters" }, field(K.topics, fields.topics), field(K.lane, fields.lane), field(K.tenant, fields.tenant), field(K.senders, fields.senders)),
      ),
    );
    super(section, {
      title: K.title,
      head: [form, el("p", { class: "dim" }, K.intro)],
      empty: K.empty,
      read: async () => ({ items: (await ask("GET", "/v1/keys")).keys, next: null }),
      row: (key) => this.key(key),
    });
    Object.assign(this, { form, fields });
  }

  async add(event) {
    event.preventDefault();
    const { name, topics, tenant, senders, lane, expires } = this.fields;
    const body = {
      name: name.value.trim(),
      scopes: [...this.form.querySelectorAll("[name=scope]:checked")].map(({ value }) => value),
      topics: separate(topics.value),
      senders: separate(senders.value),
      tenant: tenant.value.trim() || null,
      lane: lane.value || null,
      expires_at: instant(expires) || null,
    };
    const added = await this.attempt(() => ask("POST", "/v1/keys", body));
    if (!added) return;
    this.form.reset();
    await this.reload();
    this.showStatus(secret(K.shown(added.name), added.key));
  }

  key(key) {
    const limits = Object.entries(K.limited)
      .map(([name, title]) => [title, [key[name] ?? []].flat().join(", ")])
      .filter(([, value]) => value);
    const expiry = key.expires_at ? [key.expired ? K.ended : K.until, moment(key.expires_at)] : [K.forever];
    return el(
      "li",
      { class: "row", "data-key": key.id },
      el(
        "div",
        {},
        el(
          "div",
          { class: "line" },
          el("b", {}, key.name),
          ...key.scopes.map((scope) => el("span", { class: "badge" }, scope)),
          el("code", {}, `${key.hint}…`),
          el("span", { class: "dim" }, limits.length ? limits.map(([title, value]) => `${title}: ${value}`).join(" · ") : K.unlimited),
        ),
        el(
          "div",
          { class: "line dim" },
          el("span", {}, K.created, moment(key.created_at)),
          el("span", { class: key.expired ? "warn" : null }, ...expiry),
          el("span", {}, ...(key.last_used_at ? [K.used, moment(key.last_used_at)] : [K.unused])),
          el("a", { class: "open", href: link("audit", null, { key: key.id }) }, K.log),
        ),
      ),
      el("div", { class: "actions" }, el("button", { type: "button", class: "danger", onclick: () => this.remove(key) }, K.remove)),
    );
  }

  async remove(key) {
    if (!(await confirmed(K.removeAsk(key.name), K.remove))) return;
    if (!(await this.attempt(() => ask("DELETE", `/v1/keys/${key.id}`)))) return;
    await this.reload();
    this.showStatus(K.removed(key.name));
  }
}
