// Webhook endpoints: add, test, give a new secret, remove; their deliveries, and sending them again.

import { ask } from "./api.js";
import { attributes, confirmed, el } from "./dom.js";
import { field, secret, select, separate } from "./form.js";
import { count, moment } from "./format.js";
import { folded, List } from "./list.js";
import { T } from "./texts.js";

const PAGE = 20;
const W = T.webhooks;
const path = (endpoint, verb = "") => `/v1/webhooks/${endpoint.id}${verb && `/${verb}`}`;

/** The routes exist only with EVENTS_OUT. */
function explain(error) {
  if (error.status === 404) throw new Error(W.off);
  throw error;
}

export class Webhooks extends List {
  constructor(section) {
    const url = el("input", { id: "webhook-url", type: "url", required: true, maxlength: 2000, autocomplete: "off", placeholder: "https://" });
    const types = el("input", { id: "webhook-types", autocomplete: "off" });
    const topics = el("input", { id: "webhook-topics", autocomplete: "off" });
    const lane = select("webhook-lane", T.lanes);
    const format = el("select", { id: "webhook-format" }, ...Object.entries(W.formats).map(([value, text]) => el("option", { value }, text)));
    const form = el(
      "form",
      { class: "bar filters", onsubmit: (event) => this.add(event) },
      field(W.url, url),
      field(W.types, types),
      field(W.topics, topics),
      field(W.lane, lane),
      field(W.format, format),
      el("button", { class: "primary" }, W.add),
    );
    super(section, {
      title: W.title,
      head: [form],
      empty: W.empty,
      read: async () => {
        const { webhooks: items } = await ask("GET", "/v1/webhooks").catch((error) => {
          form.hidden = error.status === 404;
          return explain(error);
        });
        return { items, next: null };
      },
      row: (endpoint) => this.endpoint(endpoint),
    });
    Object.assign(this, { form, url, types, topics, lane, format });
  }

  async add(event) {
    event.preventDefault();
    const given = { url: this.url.value.trim(), types: separate(this.types.value), topics: separate(this.topics.value), lane: this.lane.value, format: this.format.value };
    const body = Object.fromEntries(Object.entries(given).filter(([, value]) => value.length));
    const added = await this.attempt(() => ask("POST", "/v1/webhooks", body));
    if (!added) return;
    this.form.reset();
    await this.reload();
    this.showStatus(secret(W.secret, added.secret));
  }

  endpoint(endpoint) {
    const button = (text, work, kind) => el("button", { type: "button", class: kind, onclick: work }, text);
    const condition = endpoint.disabled_at ? ["stopped", W.disabled, endpoint.disabled_at] : endpoint.failing_since ? ["delayed", W.failing, endpoint.failing_since] : ["delivered", W.healthy];
    return el(
      "li",
      { class: "row", "data-webhook": endpoint.id },
      el(
        "div",
        {},
        el(
          "div",
          { class: "line" },
          el("b", {}, endpoint.url),
          el("span", { class: `badge ${condition[0]}` }, condition[1], moment(condition[2])),
          endpoint.waiting > 0 && el("span", { class: "badge" }, W.waiting(count(endpoint.waiting))),
          el("span", { class: "dim" }, [endpoint.types?.join(", ") ?? W.allTypes, endpoint.topics?.join(", "), T.lanes[endpoint.lane], endpoint.format === "resend" && W.formats.resend].filter(Boolean).join(" · ")),
        ),
        endpoint.disabled_reason && el("p", { class: "error" }, endpoint.disabled_reason),
        folded([W.deliveries], async () => [this.deliveries(endpoint)]),
      ),
      el(
        "div",
        { class: "actions" },
        button(W.test, () => this.test(endpoint)),
        button(W.rotate, () => this.rotate(endpoint)),
        endpoint.disabled_at && button(W.enable, () => this.act(endpoint, "enable", () => W.enabled)),
        button(W.remove, () => this.remove(endpoint), "danger"),
      ),
    );
  }

  async act(endpoint, verb, message) {
    const answer = await this.attempt(() => ask("POST", path(endpoint, verb), verb === "resend" ? {} : undefined));
    if (!answer) return;
    if (verb !== "test") await this.reload();
    this.showStatus(message(answer), verb === "test" && !answer.delivered);
  }

  test(endpoint) {
    return this.act(endpoint, "test", ({ error }) => W.tested(error));
  }

  async rotate(endpoint) {
    if (await confirmed(W.rotateAsk(endpoint.url), W.rotate)) await this.act(endpoint, "rotate", (answer) => secret(W.secret, answer.secret));
  }

  async remove(endpoint) {
    if (!(await confirmed(W.removeAsk(endpoint.url), W.remove))) return;
    if (!(await this.attempt(() => ask("DELETE", path(endpoint))))) return;
    await this.reload();
    this.showStatus(W.removed);
  }

  deliveries(endpoint) {
    const state = el("select", { "aria-label": W.deliveries, onchange: () => list.reload() }, ...Object.entries(W.states).map(([value, text]) => el("option", { value }, text)));
    const again = async (body) => {
      const answer = await list.attempt(() => ask("POST", path(endpoint, "resend"), body));
      if (!answer) return;
      await list.reload();
      list.showStatus(W.resent(count(answer.deliveries)));
    };
    const box = el("div");
    const list = new List(box, {
      title: W.deliveries,
      actions: [state, el("button", { type: "button", onclick: () => again({}) }, W.resendFailed)],
      empty: W.noDeliveries,
      read: async (next) => {
        const query = new URLSearchParams({ limit: PAGE, after: next ?? "", ...(state.value && { state: state.value }) });
        const { deliveries: items, next: more } = await ask("GET", `${path(endpoint, "deliveries")}?${query}`);
        return { items, next: more };
      },
      row: (delivery) => deliveryRow(delivery, () => again({ delivery: delivery.id, delivered: true })),
    });
    list.reload();
    return box;
  }
}

function deliveryRow(delivery, again) {
  const [kind, text, at] = delivery.delivered_at ? ["delivered", W.delivered, delivery.delivered_at] : delivery.next_at ? ["delayed", W.next, delivery.next_at] : ["failed", W.givenUp];
  return el(
    "li",
    { class: "row", "data-delivery": delivery.id },
    el(
      "div",
      {},
      el("div", { class: "line" }, el("span", { class: `badge ${kind}` }, text), el("b", {}, delivery.type), moment(at ?? delivery.created_at), el("span", { class: "dim" }, W.attempts(count(delivery.attempts)))),
      attributes([
        [T.mail.error, delivery.error],
      ]),
    ),
    el("div", { class: "actions" }, el("button", { type: "button", onclick: again }, W.resend)),
  );
}
