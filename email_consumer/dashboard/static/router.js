// The address of every view: #place, #place/item and #place?filters. So each can be linked to, and Back works.

/** { name, item, query } of the location; `item` is null and `query` empty if absent. */
export function here() {
  const hash = location.hash.slice(1);
  const mark = hash.indexOf("?");
  const place = mark < 0 ? hash : hash.slice(0, mark);
  const slash = place.indexOf("/");
  return {
    name: (slash < 0 ? place : place.slice(0, slash)) || "now",
    item: slash < 0 ? null : decoded(place.slice(slash + 1)),
    query: Object.fromEntries(new URLSearchParams(mark < 0 ? "" : hash.slice(mark + 1))),
  };
}

/** A link to a view; empty filters are omitted. */
export function link(name, item = null, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value);
  const filters = given.length ? `?${new URLSearchParams(given)}` : "";
  return `#${name}${item == null ? "" : `/${encodeURIComponent(item)}`}${filters}`;
}

/** Goes to a view, as if its link was clicked; shows it again if it is the present one. */
export function go(name, item = null, query = {}) {
  const target = link(name, item, query);
  if (location.hash === target) window.dispatchEvent(new Event("hashchange"));
  else location.hash = target;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // typed by hand
  }
}
