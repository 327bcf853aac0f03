// Mail that could not be sent: inspect, replay, remove.

import { ask } from "./api.js";
import { confirmed, el, attributes, json } from "./dom.js";
import { bytes, moment } from "./format.js";
import { folded, List } from "./list.js";

const PAGE = 25;
const KINDS = ["undecodable", "rejected", "exhausted", "in-doubt", "conflict"];

/** The route exists only with NATS. */
function explain(error) {
  if (error.status === 404) throw new Error("With SOURCE=sqs, dead letters are in the dead-letter queue of the SQS queue.");
  throw error;
}

export class DeadLetters extends List {
  constructor(section) {
    const kind = el(
      "select",
      { id: "dead-kind", onchange: () => this.open() },
      el("option", { value: "" }, "all kinds"),
      ...KINDS.map((name) => el("option", { value: name }, name)),
    );
    super(section, {
      title: "Dead letters",
      head: [el("p", { class: "bar" }, el("label", { for: "dead-kind" }, "Show "), kind)],
      empty: "No dead letters.",
      read: async (next) => {
        const query = new URLSearchParams({ limit: PAGE, after: next ?? "" });
        if (kind.value) query.set("kind", kind.value);
        const { dead_letters: items, next: more } = await ask("GET", `/v1/dead-letters?${query}`).catch(explain);
        return { items, next: more };
      },
      row: (letter) => this.letter(letter),
    });
  }

  letter(letter) {
    const verb = conflicting(letter) ? "Replay under a new uuid" : "Replay";
    const replay = el("button", { type: "button", onclick: () => this.replay(letter, item, replay) }, verb);
    const remove = el("button", { type: "button", class: "danger", onclick: () => this.remove(letter, item, remove) }, "Remove");
    const item = el(
      "li",
      { class: "row", "data-sequence": letter.sequence },
      folded(
        [
          el("b", {}, `#${letter.sequence}`),
          el("span", { class: `badge ${letter.kind}` }, letter.kind),
          el("span", { class: "grow" }, letter.reason || "no reason recorded"),
          moment(letter.stored_at),
        ],
        () => this.content(letter),
      ),
      el("div", { class: "actions" }, replay, remove),
    );
    return item;
  }

  async content(letter) {
    const whole = await ask("GET", `/v1/dead-letters/${letter.sequence}`);
    return [
      attributes([
        ["Source", letter.reference],
        ["Attempts", letter.attempts == null ? null : String(letter.attempts)],
        ["Size", bytes(letter.size)],
      ]),
      el("h3", {}, "Headers"),
      json(whole.headers),
      el("h3", {}, whole.message ? "Message" : "Payload (not a message), base64"),
      whole.message ? json(whole.message) : el("pre", { tabindex: "0" }, whole.payload),
    ];
  }

  async remove(letter, item, button) {
    if (!(await confirmed(`Delete dead letter #${letter.sequence} for good? It is the only copy of its mail.`, "Delete"))) return;
    button.disabled = true;
    const answer = await this.attempt(() => ask("DELETE", `/v1/dead-letters/${letter.sequence}`));
    button.disabled = false;
    if (!answer) return;
    item.remove();
    this.showStatus(`Dead letter #${letter.sequence} is removed.`);
  }

  async replay(letter, item, button) {
    button.disabled = true;
    const query = conflicting(letter) ? "?new_uuid=true" : "";
    const answer = await this.attempt(() => ask("POST", `/v1/dead-letters/${letter.sequence}/replay${query}`));
    button.disabled = false;
    if (!answer) return;
    item.remove();
    this.showStatus(`Dead letter #${letter.sequence} is back in the stream as message ${answer.sequence}.`);
  }
}

// Its uuid belongs to a mail to other recipients.
function conflicting(letter) {
  return letter.kind === "conflict";
}
