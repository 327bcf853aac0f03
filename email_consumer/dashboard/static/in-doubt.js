// Mails that SES may or may not have accepted.

import { ask } from "./api.js";
import { el } from "./dom.js";
import { moment } from "./format.js";
import { List } from "./list.js";

const PAGE = 50;

export class InDoubt extends List {
  /** `find` shows the history of a uuid. */
  constructor(section, find) {
    super(section, {
      title: "In doubt",
      head: [
        el(
          "p",
          { class: "dim" },
          "SES may or may not have accepted these. An SES event settles each of them; without one, IN_DOUBT decides after IN_DOUBT_GRACE.",
        ),
      ],
      empty: "No mail is in doubt.",
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
            el("button", { type: "button", class: "link", onclick: () => find(mail.uuid) }, mail.uuid),
            el("span", {}, mail.email),
            mail.topic_id && el("span", { class: "badge" }, mail.topic_id),
            el("span", { class: "grow dim" }, mail.reason),
            moment(mail.claimed_at),
          ),
        ),
    });
  }
}
