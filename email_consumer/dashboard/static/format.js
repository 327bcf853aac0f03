// Numbers and times for people.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const some = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export const count = (value) => (value == null ? "–" : whole.format(value));
export const decimal = (value) => (value == null ? "–" : some.format(value));
export const compact = (value) => (value < 10_000 ? whole.format(value) : short.format(value));

/** A share between 0 and 1. */
export function percent(share) {
  if (share == null) return "–";
  const value = 100 * share;
  return `${value.toFixed(value > 0 && value < 1 ? 2 : 1)} %`;
}

/** A duration in seconds, in a suitable unit. */
export function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds < 10) return `${some.format(Math.max(0, seconds))} s`;
  if (seconds < 120) return `${whole.format(seconds)} s`;
  if (seconds < 7_200) return `${whole.format(seconds / 60)} min`;
  if (seconds < 172_800) return `${whole.format(seconds / 3_600)} h`;
  return `${whole.format(seconds / 86_400)} d`;
}

export function bytes(value) {
  return value < 1_000 ? `${value} B` : value < 1e6 ? `${some.format(value / 1e3)} kB` : `${some.format(value / 1e6)} MB`;
}

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** A moment (RFC 3339) in the viewer's own time zone, absolute and relative. */
export function moment(text) {
  if (!text) return null;
  const time = document.createElement("time");
  time.dateTime = text;
  time.title = new Date(text).toLocaleString("en-GB", { dateStyle: "full", timeStyle: "long" });
  relate(time);
  return time;
}

/** A moment (RFC 3339) in the viewer's own time zone, without its distance from now. */
export const clock = (text) => new Date(text).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** A date, such as 2026-11-28. */
export const day = (date) => new Date(`${date}T00:00:00`).toLocaleDateString("en-GB", { dateStyle: "medium" });

/** Every half a minute, so that relative times stay true. */
setInterval(() => document.querySelectorAll("time[title]").forEach(relate), 30_000);

function relate(time) {
  const at = new Date(time.dateTime);
  const seconds = (Date.now() - at) / 1000;
  const today = at.toDateString() === new Date().toDateString();
  const absolute = at.toLocaleString("en-GB", today ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
  time.textContent = `${absolute} · ${seconds < 0 ? `in ${duration(-seconds)}` : `${duration(Math.round(seconds))} ago`}`;
}
