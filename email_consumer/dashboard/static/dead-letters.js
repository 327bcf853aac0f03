// Mail that could not be sent: inspect, replay, remove; one, those of a kind, or all.

import { ask } from "./api.js";
import { attributes, confirmed, el, json } from "./dom.js";
import { bytes, moment } from "./format.js";
import { folded, List } from "./list.js";
import { go, link } from "./router.js";
import { T } from "./texts.js";

const PAGE = 25;
const one = (letter) => `/v1/dead-letters/${letter.sequence}`;

/** The route exists only with NATS. */
function explain(error) {
  if (error.status === 404) throw new Error(T.dead.sqs);
  throw error;
}

export class DeadLetters extends List {
  constructor(section) {
    const kind = el(
      "select",
      { id: "dead-kind", onchange: () => go("dead-letters", null, { kind: kind.value }) },
      el("option", { value: "" }, T.dead.allKinds),
      ...Object.entries(T.dead.kinds).map(([value, text]) => el("option", { value }, text)),
    );
    const meaning = el("p", { class: "dim" });
    const replayAll = el("button", { type: "button", onclick: () => this.replayAll() });
    const removeAll = el("button", { type: "button", class: "danger", onclick: () => this.removeAll() });
    super(section, {
      title: T.dead.title,
      head: [el("p", { class: "bar" }, el("label", { for: "dead-kind" }, T.dead.show), kind, el("span", { class: "spacer" }), replayAll, removeAll), meaning],
      empty: T.dead.empty,
      read: async (next) => {
        const query = new URLSearchParams({ limit: PAGE, after: next ?? "" });
        if (kind.value) query.set("kind", kind.value);
        const { dead_letters: items, next: more } = await ask("GET", `/v1/dead-letters?${query}`).catch(explain);
        replayAll.disabled = removeAll.disabled = !items.length && !next;
        return { items, next: more };
      },
      row: (letter) => this.letter(letter),
    });
    Object.assign(this, { kind, meaning, replayAllButton: replayAll, removeAllButton: removeAll });
  }

  async open(place) {
    this.kind.value = place.query.kind ?? "";
    const kind = T.dead.kinds[this.kind.value];
    this.meaning.textContent = T.dead.meaning[this.kind.value] ?? "";
    this.replayAllButton.textContent = T.dead.replayAll(kind);
    this.removeAllButton.textContent = T.dead.removeAll(kind);
    await super.open(place);
  }

  letter(letter) {
    const verb = conflicting(letter) ? T.dead.replayNew : T.dead.replay;
    const replay = el("button", { type: "button", onclick: () => this.replay(letter, item, replay) }, verb);
    const remove = el("button", { type: "button", class: "danger", onclick: () => this.remove(letter, item, remove) }, T.dead.remove);
    const mail = el("p", { class: "dead-mail", hidden: letter.kind === "undecodable" });
    const item = el(
      "li",
      { class: "row dead", "data-sequence": letter.sequence },
      el(
        "div",
        {},
        mail,
        folded(
          [
            el("b", {}, `#${letter.sequence}`),
            el("span", { class: `badge ${letter.kind}` }, T.dead.kinds[letter.kind] ?? letter.kind),
            el("span", { class: "grow" }, letter.reason || T.dead.noReason),
            moment(letter.stored_at),
          ],
          () => this.content(letter),
        ),
      ),
      el("div", { class: "actions" }, replay, remove),
    );
    this.nameWhenSeen(letter, item, mail);
    return item;
  }

  /** The list has no payloads, so recipient and subject are read for the rows that are looked at. */
  nameWhenSeen(letter, item, mail) {
    const observer = new IntersectionObserver(async ([entry]) => {
      if (!entry.isIntersecting) return;
      observer.disconnect();
      const message = (await this.whole(letter).catch(() => null))?.message;
      if (message) mail.append(el("a", { href: link("mail", message.uuid) }, message.email), ` ${message.subject ?? ""}`);
    });
    observer.observe(item);
  }

  async whole(letter) {
    return ask("GET", one(letter));
  }

  async content(letter) {
    const whole = await this.whole(letter);
    return [
      el("p", {}, T.dead.meaning[letter.kind]),
      attributes([
        [T.mail.source, letter.reference],
        [T.mail.attempts, letter.attempts == null ? null : String(letter.attempts)],
        [T.dead.size, bytes(letter.size)],
      ]),
      el("h3", {}, T.dead.headers),
      json(whole.headers),
      el("h3", {}, whole.message ? T.dead.message : T.dead.payload),
      whole.message ? json(whole.message) : el("pre", { tabindex: "0" }, whole.payload),
    ];
  }

  async remove(letter, item, button) {
    if (!(await confirmed(T.dead.removeAsk(letter.sequence), T.dead.remove))) return;
    if (await this.act(button, () => ask("DELETE", one(letter)))) this.gone(item, T.dead.removed(letter.sequence));
  }

  async replay(letter, item, button) {
    const what = T.dead.meaning[letter.kind] ?? "";
    if (!(await confirmed(T.dead.replayAsk(letter.sequence, what), button.textContent))) return;
    const query = conflicting(letter) ? "?new_uuid=true" : "";
    const answer = await this.act(button, () => ask("POST", `${one(letter)}/replay${query}`));
    if (answer) this.gone(item, T.dead.replayed(letter.sequence, answer.sequence));
  }

  async act(button, work) {
    button.disabled = true;
    const answer = await this.attempt(work);
    button.disabled = false;
    return answer;
  }

  gone(item, text) {
    item.remove();
    this.showStatus(text);
  }

  async replayAll() {
    const kind = this.kind.value;
    if (!(await confirmed(T.dead.replayAllAsk(kind ? T.dead.meaning[kind] : T.dead.replayAllMixed), this.replayAllButton.textContent))) return;
    await this.many("replay", kind === "conflict" ? { new_uuid: "true" } : {}, T.dead.replayedMany);
  }

  async removeAll() {
    if (!(await confirmed(T.dead.removeAllAsk, this.removeAllButton.textContent))) return;
    await this.many("remove", {}, T.dead.removedMany);
  }

  /** Request by request, each of a few seconds, until all were tried. */
  async many(verb, options, summary) {
    let done = 0;
    let after = "";
    const failed = [];
    const kind = this.kind.value;
    while (after != null) {
      const query = new URLSearchParams({ ...options, ...(kind && { kind }), after });
      const answer = await this.attempt(() => ask("POST", `/v1/dead-letters/${verb}?${query}`));
      if (!answer) return;
      done += answer.done;
      failed.push(...answer.failed);
      after = answer.next;
      this.showStatus(T.dead.working(done));
    }
    await this.reload();
    this.showStatus(summary(done, failed.length) + (failed.length ? failed[0].reason : ""), failed.length > 0);
  }
}

// Its uuid belongs to a mail to other recipients.
function conflicting(letter) {
  return letter.kind === "conflict";
}
