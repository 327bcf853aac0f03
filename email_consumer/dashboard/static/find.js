// What the search field of the head finds: everything that begins with a text.

import { ask, unless } from "./api.js";
import { byId, el } from "./dom.js";
import { link } from "./router.js";
import { T } from "./texts.js";

const LINKS = {
  addresses: (address) => link("mail", null, { email: address }),
  domains: (domain) => link("mail", null, { domain }),
  topics: (topic) => link("topics", topic),
  uuids: (uuid) => link("mail", uuid),
};

export class Find {
  constructor(section) {
    this.section = section;
  }

  async open({ item }) {
    const text = item ?? "";
    this.text = text;
    byId("find-text").value = text;
    this.show(text, [el("p", { class: "status", role: "status" }, "…")]);
    try {
      const found = text ? await ask("GET", `/v1/find?${new URLSearchParams({ text, limit: 20 })}`) : {};
      const exact = text && (await unless(404, ask("GET", `/v1/messages/${encodeURIComponent(text)}`)));
      if (this.text !== text) return;
      const only = Object.values(found).flat();
      if (exact) history.replaceState(null, "", link("mail", text));
      else if (only.length === 1) history.replaceState(null, "", Object.entries(LINKS).flatMap(([kind, to]) => found[kind].map(to))[0]);
      else if (!only.length && text.includes("@", 1)) history.replaceState(null, "", link("mail", null, { email: text }));
      else return this.show(text, groups(text, found));
      window.dispatchEvent(new Event("hashchange")); // straight to the only thing that there is
    } catch (error) {
      this.show(text, [el("p", { class: "status error", role: "status" }, error.message)]);
    }
  }

  close() {
    this.text = null;
    byId("find-text").value = "";
  }

  show(text, children) {
    this.section.replaceChildren(el("div", { class: "list-head" }, el("h2", {}, T.find.title(text))), ...children);
  }
}

function groups(text, found) {
  const shown = Object.entries(LINKS).filter(([kind]) => found[kind]?.length);
  if (!shown.length) return [el("p", { class: "status", role: "status" }, T.find.nothing(text))];
  return shown.map(([kind, to]) =>
    el("div", {}, el("h3", {}, T.find[kind]), el("ul", { class: "rows" }, ...found[kind].map((name) => el("li", { class: "row" }, el("a", { class: "open", href: to(name) }, name))))),
  );
}
