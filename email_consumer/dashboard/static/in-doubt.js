// Mails that SES may or may not have accepted.

import { ask } from "./api.js";
import { el } from "./dom.js";
import { moment } from "./format.js";
import { List } from "./list.js";
import { link } from "./router.js";
import { T } from "./texts.js";

const PAGE = 50;

export class InDoubt extends List {
  constructor(section) {
    super(section, {
      title: T.doubt.title,
      head: [el("p", { class: "dim" }, T.doubt.intro)],
      empty: T.doubt.empty,
      read: async (next) => {
        const query = new URLSearchParams({ limit: PAGE, after: next ?? "" });
        const { mails: items, next: more } = await ask("GET", `/v1/in-doubt?${query}`);
        return { items, next: more };
      },
      row: (mail) =>
        el(
          "li",
          { class: "row", "data-uuid": mail.uuid },
          el(
            "div",
            { class: "line" },
            el("a", { class: "open", href: link("mail", mail.uuid) }, mail.email),
            el("span", { class: "dim" }, mail.uuid),
            mail.topic_id && el("a", { class: "badge", href: link("topics", mail.topic_id) }, mail.topic_id),
            el("span", { class: "grow dim" }, mail.reason),
            moment(mail.claimed_at),
          ),
        ),
    });
  }
}
