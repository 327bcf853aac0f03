// The current state: the parts that mail depends on, and the numbers.

import { byId, el } from "./dom.js";
import { count, duration } from "./format.js";

const WORDS = { up: "up", held: "blocking mail", down: "down", off: "not configured" };

/** Seconds that transactional mail may wait. */
const LATE = 5;

/** `text` formats a number of (state, plot, now), `note` what stands below it; `alarm` marks what needs attention. */
const TILES = [
  { id: "transactional", name: "Transactional mail waiting", ...queueOf("transactional"), alarm: ({ lanes }, _, now) => age(lanes.transactional, now) > LATE },
  { id: "bulk", name: "Bulk mail waiting", ...queueOf("bulk") },
  { id: "unsettled", name: "Unsettled", text: (state) => count(state.unsettled) },
  { id: "in-flight", name: "In flight to SES", text: (state) => count(state.in_flight) },
  { id: "throttles", name: "Throttles, 5 min", text: (_, plot) => count(plot.sum(4)), alarm: (_, plot) => plot.sum(4) > 0 },
  { id: "retries", name: "Retries, 5 min", text: (_, plot) => count(plot.sum(5)), alarm: (_, plot) => plot.sum(5) > 0 },
  { id: "dead", name: "Dead letters", href: "#dead-letters", text: (state) => count(state.dead_letters), alarm: (state) => state.dead_letters > 0 },
  { id: "doubt", name: "In doubt", href: "#in-doubt", text: (state) => count(state.in_doubt), alarm: (state) => state.in_doubt > 0 },
  { id: "quota", name: "24 h quota", text: ({ quota }) => (quota ? count(quota.used) : "–"), share: ({ quota }) => quota?.limit ? quota.used / quota.limit : null },
];

/** The queue of one lane, which a source may lack. */
function queueOf(lane) {
  return {
    text: ({ lanes }) => count(lanes[lane]?.waiting),
    note: ({ lanes }, now) => (lane in lanes ? `oldest ${duration(age(lanes[lane], now))}` : "one lane for all mail"),
  };
}

function age(queue, now) {
  return queue?.oldest_at ? now - queue.oldest_at : null;
}

/** Once; `linked` makes tiles link to their lists. */
export function buildTiles(linked) {
  byId("tiles").replaceChildren(
    ...TILES.map((tile) =>
      el(
        "div",
        { id: `tile-${tile.id}`, class: "card tile" },
        el("dt", {}, linked && tile.href ? el("a", { href: tile.href }, tile.name) : tile.name),
        el("dd", {}, "–"),
        (tile.share || tile.note) && el("dd", { class: "of" }, " "),
      ),
    ),
  );
}

export function showTiles(state, plot, now) {
  for (const tile of TILES) {
    const box = byId(`tile-${tile.id}`);
    box.querySelector("dd").textContent = tile.text(state, plot, now);
    box.classList.toggle("alarm", Boolean(tile.alarm?.(state, plot, now)));
    if (tile.note) box.querySelector(".of").textContent = tile.note(state, now);
    if (tile.share) showShare(box, state, tile.share(state));
  }
}

function showShare(box, { quota }, share) {
  const of = box.querySelector(".of");
  if (share == null) {
    of.textContent = quota ? "unlimited" : "";
    return;
  }
  of.replaceChildren(`${(100 * share).toFixed(1)} % of ${count(quota.limit)}`, el("meter", { value: share, high: 0.8, max: 1, "aria-label": "Quota used" }));
  box.classList.toggle("alarm", share > 0.8);
}

export function showParts(parts) {
  byId("parts").replaceChildren(
    ...parts.map(({ name, condition, text }) =>
      el(
        "li",
        { class: `card part ${condition}`, "data-part": name },
        el("span", { class: "dot", "aria-hidden": "true" }),
        el("b", {}, name),
        el("span", { class: "word" }, WORDS[condition]),
        el("span", { class: "dim" }, text),
      ),
    ),
  );
}
