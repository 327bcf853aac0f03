// One mail in a list.

import { el } from "./dom.js";
import { moment } from "./format.js";
import { link } from "./router.js";
import { T } from "./texts.js";

export const stateBadge = (state) => el("span", { class: `badge ${state.replace("_", "-")}` }, T.states[state]);

/** A reason as SES or the program names it, in words if known. */
export const inWords = (reason) => (reason ? (T.reasons[reason] ?? reason) : "");

/** The uuid as its publisher gave it: a suffix marks a mail whose uuid was reused. */
export const plainUuid = (uuid) => uuid.split("\0")[0];

export function mailRow(mail) {
  const lane = mail.lane === "transactional" && el("span", { class: "badge transactional" }, T.lanes.transactional);
  return el(
    "li",
    { class: "row mail-row", "data-uuid": mail.uuid, "data-state": mail.state },
    stateBadge(mail.state),
    el("a", { class: "open", href: link("mail", mail.uuid) }, mail.email),
    el("span", { class: "subject" }, mail.subject ?? ""),
    el("span", { class: "marks" }, mail.topic_id && el("a", { class: "badge", href: link("topics", mail.topic_id) }, mail.topic_id), lane),
    el("span", { class: "dim why" }, inWords(mail.reason)),
    moment(mail.created_at),
  );
}

/** Without what a narrow column has no room for. */
export function compactRow(mail) {
  return el(
    "li",
    { class: "row", "data-uuid": mail.uuid },
    el("div", { class: "line" }, stateBadge(mail.state), el("a", { class: "open grow", href: link("mail", mail.uuid) }, mail.email)),
    el("div", { class: "dim cut" }, mail.subject ?? mail.topic_id ?? ""),
  );
}
