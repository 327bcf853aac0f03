// Builds elements. Text always becomes text nodes, so user input can't become markup.

/** An element. `on…` properties are listeners, others attributes (omitted if false or null). */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** A description list of [term, value] pairs; empty values are omitted. */
export function attributes(pairs) {
  const shown = pairs.filter(([, value]) => value != null && value !== "");
  return el("dl", { class: "attributes" }, ...shown.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** Formatted JSON. */
export const json = (value) => el("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));

/** Asks for confirmation; true if confirmed. */
export function confirmed(question, action) {
  const dialog = byId("confirm");
  byId("confirm-text").textContent = question;
  byId("confirm-yes").textContent = action;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
