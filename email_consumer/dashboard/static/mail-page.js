// One mail: what became of it and of each recipient, in order; what it says, where that is kept.

import { ask, unless } from "./api.js";
import { attributes, el, json } from "./dom.js";
import { copyButton } from "./form.js";
import { bytes, moment } from "./format.js";
import { inWords, plainUuid, stateBadge } from "./mail-row.js";
import { link } from "./router.js";
import { T } from "./texts.js";

const REFRESH = 3_000;
const path = (uuid) => `/v1/messages/${encodeURIComponent(uuid)}`;

export class MailPage {
  constructor(section) {
    this.section = section;
  }

  async open({ item }) {
    this.uuid = item;
    this.seen = null;
    this.section.replaceChildren(el("p", { class: "status", role: "status" }, "…"));
    clearInterval(this.timer);
    this.timer = setInterval(() => document.hidden || this.refresh(), REFRESH);
    await this.refresh();
  }

  close() {
    this.uuid = null;
    clearInterval(this.timer);
  }

  async refresh() {
    const uuid = this.uuid;
    try {
      const mail = await ask("GET", path(uuid));
      const seen = `${mail.updated_at} ${mail.state} ${mail.results.length} ${mail.history.length}`;
      if (uuid !== this.uuid || seen === this.seen) return; // what is unfolded stays so
      const content = this.seen ? this.content : await unless(404, ask("GET", `${path(uuid)}/content`));
      if (uuid !== this.uuid) return;
      Object.assign(this, { seen, content });
      this.section.replaceChildren(...page(mail, content));
    } catch (error) {
      if (uuid === this.uuid && !this.seen) this.section.replaceChildren(heading(uuid), el("p", { class: "status", role: "status" }, error.message));
    }
  }
}

const heading = (text, ...more) => el("div", { class: "list-head" }, el("a", { href: link("mail") }, `← ${T.mail.title}`), el("h2", { class: "grow" }, text), ...more);

function page(mail, content) {
  const reason = mail.reason ?? mail.error;
  return [
    heading(mail.subject ?? content?.subject ?? T.mail.noSubject, stateBadge(mail.state), copyButton(T.copyLink, () => location.href)),
    reason && el("p", { class: "reason" }, inWords(reason), inWords(reason) !== reason && el("span", { class: "dim" }, ` (${reason})`)),
    el("div", { class: "columns even" }, el("div", {}, fields(mail, content), recipients(mail)), el("div", {}, el("h3", {}, T.mail.timeline), timeline(mail))),
    content && shownContent(mail.uuid, content),
  ].filter(Boolean);
}

function fields(mail, content) {
  const topic = mail.topic_id && el("a", { href: link("topics", mail.topic_id) }, mail.topic_id);
  return attributes([
    [T.mail.to, el("a", { href: link("mail", null, { email: mail.email.match(/<(.+)>$/)?.[1] ?? mail.email }) }, mail.email)],
    [T.mail.cc, content?.cc.join(", ")],
    [T.mail.bcc, content?.bcc.join(", ")],
    [T.mail.from, content?.from_email],
    [T.mail.replyTo, content?.reply_to.join(", ")],
    [T.mail.topic, topic],
    [T.mail.lane, T.lanes[mail.lane]],
    [T.mail.tenant, mail.tenant],
    [T.mail.created, moment(mail.created_at)],
    [T.mail.scheduled, moment(mail.scheduled_at)],
    [T.mail.expires, moment(mail.expires_at)],
    [T.mail.attempts, String(mail.attempts)],
    [T.mail.error, mail.error],
    [T.mail.uuid, plainUuid(mail.uuid)],
    [T.mail.messageId, mail.message_id],
  ]);
}

/** What was reported last about each. */
function recipients(mail) {
  const last = new Map();
  for (const { recipient, kind, at } of inOrder(mail.results)) if (recipient) last.set(recipient, { kind, at });
  const lines = [...last].map(([address, { kind, at }]) => el("li", {}, el("span", {}, address), el("b", {}, kind), moment(at)));
  return el("div", {}, el("h3", {}, T.mail.recipients), lines.length ? el("ul", { class: "history recipients" }, ...lines) : el("p", { class: "dim" }, T.mail.nothingReported));
}

/** What must come before what, where clocks say otherwise: SES's, the recipient's server's and ours differ. */
const RANKS = { Send: 1, Sent: 1, DeliveryDelay: 2, Delivery: 3 };

function inOrder(events) {
  const first = Math.min(...events.map(({ at }) => Date.parse(at)));
  const key = (event) => (RANKS[event.kind] === 1 ? Math.min(Date.parse(event.at), first) : Date.parse(event.at));
  return [...events].sort((one, other) => key(one) - key(other) || (RANKS[one.kind] ?? 4) - (RANKS[other.kind] ?? 4));
}

function timeline(mail) {
  const events = [
    { at: mail.created_at, what: T.mail.createdFrom(mail.source) },
    ...mail.history.map(({ at, outcome, reason }) => ({ at, what: outcome, text: reason })),
  ];
  const results = mail.results.map((result) => ({ ...result, what: result.machine ? T.mail.byProgram(result.kind) : result.kind, text: result.recipient }));
  const listed = mail.history.at(-1)?.reason === mail.error;
  if (mail.finished_at) results.push({ at: mail.finished_at, kind: mail.status, what: T.statuses[mail.status], text: listed ? null : inWords(mail.error) });
  return el("ol", { class: "history" }, ...[...events, ...inOrder(results)].map(step));
}

function step({ at, what, text, detail }) {
  const raw = detail && Object.keys(detail).length > 0;
  return el("li", {}, moment(at), el("b", {}, what), text && el("span", {}, text), raw && el("details", {}, el("summary", {}, T.mail.event), json(detail)));
}

function shownContent(uuid, content) {
  const frame = content.html && el("iframe", { class: "preview", src: `${path(uuid)}/preview`, sandbox: "", loading: "lazy", title: T.mail.preview, referrerpolicy: "no-referrer" });
  return el(
    "div",
    {},
    el("h3", {}, T.mail.content),
    attributes([
      [T.mail.headers, Object.keys(content.headers).length ? json(content.headers) : null],
      [T.mail.attachments, content.attachments.map(({ filename, content_type, size }) => `${filename} (${content_type}, ${bytes(Math.floor((size * 3) / 4))})`).join(", ")],
    ]),
    frame,
    content.text && el("details", { open: !content.html }, el("summary", {}, T.mail.text), el("pre", { tabindex: "0" }, content.text)),
  );
}
