// The current state: the parts that mail depends on, the numbers, and what needs somebody.

import { byId, el } from "./dom.js";
import { count, duration } from "./format.js";
import { link } from "./router.js";
import { T } from "./texts.js";

/** Seconds that transactional mail may wait. */
const LATE = 5;
const HIGH = 0.8;

/** `text` formats a number of (state, plot, now), `note` what stands below it; `alarm` marks what needs attention. */
const TILES = [
  { id: "transactional", href: link("waiting"), ...queueOf("transactional"), alarm: ({ lanes }, _, now) => age(lanes.transactional, now) > LATE },
  { id: "bulk", href: link("waiting"), ...queueOf("bulk") },
  { id: "unsettled", text: (state) => count(state.unsettled) },
  { id: "in-flight", text: (state) => count(state.in_flight) },
  { id: "throttles", text: (_, plot) => count(plot.sum(4)), alarm: (_, plot) => plot.sum(4) > 0 },
  { id: "retries", href: link("mail", null, { state: "failed" }), text: (_, plot) => count(plot.sum(5)), alarm: (_, plot) => plot.sum(5) > 0 },
  { id: "dead", href: link("dead-letters"), text: (state) => count(state.dead_letters), alarm: (state) => state.dead_letters > 0 },
  { id: "doubt", href: link("in-doubt"), text: (state) => count(state.in_doubt), alarm: (state) => state.in_doubt > 0 },
  { id: "quota", href: link("stats"), text: ({ quota }) => (quota ? count(quota.used) : T.none), share, alarm: (state) => share(state) > HIGH },
];

function share({ quota }) {
  return quota?.limit ? quota.used / quota.limit : null;
}

/** The queue of one lane, which a source may lack. */
function queueOf(lane) {
  return {
    text: ({ lanes }) => count(lanes[lane]?.waiting),
    note: ({ lanes }, now) => (lane in lanes ? T.oldest(duration(age(lanes[lane], now))) : T.oneLane),
  };
}

function age(queue, now) {
  return queue?.oldest_at ? now - queue.oldest_at : null;
}

/** Once; `linked` makes tiles link to their places. */
export function buildTiles(linked) {
  byId("tiles").replaceChildren(
    ...TILES.map((tile) =>
      el(
        "div",
        { id: `tile-${tile.id}`, class: "card tile" },
        el("dt", {}, linked && tile.href ? el("a", { href: tile.href }, T.tiles[tile.id]) : T.tiles[tile.id]),
        el("dd", {}, T.none),
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

function showShare(box, { quota }, used) {
  const of = box.querySelector(".of");
  if (used == null) {
    of.textContent = quota ? T.unlimited : "";
    return;
  }
  of.replaceChildren(T.quotaOf((100 * used).toFixed(1), count(quota.limit)), el("meter", { value: used, high: HIGH, max: 1, "aria-label": T.quotaUsed }));
}

export function showParts(parts) {
  byId("parts").replaceChildren(
    ...parts.map(({ name, condition, text }) =>
      el(
        "li",
        { class: `card part ${condition}`, "data-part": name },
        el("span", { class: "dot", "aria-hidden": "true" }),
        el("b", {}, name),
        el("span", { class: "word" }, T.conditions[condition]),
        el("span", { class: "dim" }, text),
      ),
    ),
  );
}

/** What each orange number asks of the reader: { name, href, what }. */
export function needs(state, plot, now) {
  const parts = state.parts.filter(({ condition }) => condition === "down" || condition === "held");
  const more = state.holds_number - state.holds.length;
  return [
    ...parts.map(({ name }) => ({ name, href: link("waiting"), what: T.todo.part(name) })),
    ...state.holds.map(({ key, holder, reason }) => ({ name: key, href: link("waiting"), what: T.todo.hold(holder, reason) })),
    ...(more > 0 ? [{ name: T.todo.moreHolds(count(more)), href: link("waiting"), what: "" }] : []),
    ...TILES.filter((tile) => tile.alarm?.(state, plot, now)).map(({ id, href }) => ({ name: T.tiles[id], href, what: T.todo[id] })),
  ];
}
