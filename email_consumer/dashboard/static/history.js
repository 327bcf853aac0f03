// The history of one mail, in chronological order.

import { el, attributes, json } from "./dom.js";
import { moment } from "./format.js";

export function history(mail) {
  const events = [
    { at: mail.created_at, what: `Created, from ${mail.source}` },
    ...mail.history.map(({ at, outcome, reason }) => ({ at, what: outcome, text: reason })),
    ...mail.results.map((result) => ({
      at: result.at,
      what: result.machine ? `${result.kind}, by a program` : result.kind,
      text: result.recipient,
      detail: result.detail,
    })),
  ];
  const shown = mail.history.at(-1)?.reason === mail.error;
  if (mail.finished_at) events.push({ at: mail.finished_at, what: mail.status, text: shown ? null : mail.error });
  events.sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
  return [
    attributes([
      ["uuid", mail.uuid.split("\0")[0]], // the suffix marks a mail whose uuid was reused
      ["To", mail.email],
      ["Topic", mail.topic_id],
      ["Attempts", String(mail.attempts)],
      ["SES message id", mail.message_id],
      ["Scheduled for", moment(mail.scheduled_at)],
      ["Expires", moment(mail.expires_at)],
      ["Error", mail.error],
      ["Reason", mail.reason === mail.error ? null : mail.reason],
    ]),
    el("ol", { class: "history" }, ...events.map(step)),
  ];
}

function step({ at, what, text, detail }) {
  const raw = detail && Object.keys(detail).length > 0;
  return el(
    "li",
    {},
    moment(at),
    el("b", {}, what),
    text && el("span", {}, text),
    raw && el("details", {}, el("summary", {}, "SES event"), json(detail)),
  );
}
