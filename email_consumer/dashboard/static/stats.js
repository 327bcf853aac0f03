/* global uPlot */
// What happened in an hour, a day, yesterday, a week or 90 days: numbers, rates against SES's limits, and a chart.

import { ask } from "./api.js";
import { el } from "./dom.js";
import { clock, compact, count, decimal, percent, zone } from "./format.js";
import { go, link } from "./router.js";
import { T } from "./texts.js";

const REFRESH = 15_000;
const HEIGHT = 240;
const ROWS = ["sent", "delivered", "opened", "clicked", "delayed", "soft_bounced", "bounced", "complained", "failed", "stopped"];
const LINKS = { delivered: "delivered", delayed: "delayed", bounced: "bounced", complained: "complained", failed: "failed", stopped: "stopped" };

export class Stats {
  constructor(section) {
    this.tabs = el("nav", { class: "tabs", "aria-label": T.stats.ranged });
    this.lane = el(
      "select",
      { "aria-label": T.stats.lane, onchange: () => go("stats", null, { ...this.query, lane: this.lane.value }) },
      el("option", { value: "" }, T.all),
      ...Object.entries(T.lanes).map(([value, text]) => el("option", { value }, text)),
    );
    this.status = el("p", { class: "status", role: "status" });
    this.body = el("div");
    this.box = el("div", { class: "plot", role: "img", "aria-label": T.stats.chart });
    this.keys = el("p", { class: "legend stats-keys" }, ...T.stats.chartKeys.map((name, index) => el("span", { class: `key-${index}` }, name)));
    this.table = el("div");
    section.append(
      el("div", { class: "list-head" }, el("h2", {}, T.stats.title), this.tabs, el("span", { class: "spacer" }), this.lane),
      this.status,
      this.body,
      this.keys,
      this.box,
      this.table,
    );
    new ResizeObserver(() => this.draw()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(true));
  }

  async open({ query }) {
    this.query = { range: "day", ...query };
    this.lane.value = query.lane ?? "";
    this.tabs.replaceChildren(
      ...Object.entries(T.stats.ranges).map(([range, text]) =>
        el("a", { href: link("stats", null, { ...query, range }), "aria-current": range === this.query.range ? "page" : null }, text),
      ),
    );
    clearInterval(this.timer);
    this.timer = setInterval(() => document.hidden || this.refresh(), REFRESH);
    await this.refresh();
  }

  close() {
    clearInterval(this.timer);
  }

  async refresh() {
    const query = this.query;
    try {
      const stats = await ask("GET", `/v1/stats?${new URLSearchParams(query)}`);
      if (query !== this.query) return;
      this.stats = stats;
      this.status.textContent = stats.totals.sent ? "" : T.stats.nothing;
      this.status.classList.remove("error");
      this.body.replaceChildren(el("div", { class: "columns even" }, numbers(stats), limits(stats)));
      const open = this.table.querySelector("details")?.open;
      this.table.replaceChildren(points(stats, open));
      this.draw(true);
    } catch (error) {
      this.status.textContent = error.message;
      this.status.classList.add("error");
    }
  }

  draw(redraws = false) {
    const width = this.box.clientWidth;
    if (!this.stats || !width || (!redraws && this.chart?.width === width)) return;
    this.chart?.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const { points: spans, until, limits: allowed } = this.stats;
    const seconds = (index) => (Date.parse(spans[index + 1]?.at ?? until) - Date.parse(spans[index].at)) / 1000;
    const most = Math.max(1, ...spans.map((span) => span.sent));
    const limit = spans.map((_, index) => Math.min(allowed.max_send_rate ?? Infinity, (allowed.max_24_hour_send ?? Infinity) / 86_400) * seconds(index));
    const near = limit[0] < 4 * most; // far above, it would leave nothing of the rest to be seen
    this.keys.lastChild.hidden = !near;
    const bars = uPlot.paths.bars({ size: [0.8, 60], align: 1, radius: 0.1 });
    const axis = { stroke: colour("dim"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const options = {
      width,
      height: HEIGHT,
      padding: [8, 22, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: { x: { time: true, range: () => [Date.parse(spans[0].at) / 1000, Date.parse(until) / 1000] }, y: { range: (_, __, top) => [0, Math.max(1, top * 1.1)] } },
      axes: [{ ...axis, size: 34, space: 70, values: (_, values) => ticks(values, Date.parse(until) - Date.parse(spans[0].at)) }, { ...axis, size: 56, values: (_, values) => values.map((value) => (value % 1 ? "" : compact(value))) }],
      series: [
        {},
        { stroke: colour("accent"), fill: colour("accent-fill"), width: 1, paths: bars, points: { show: false } },
        { stroke: colour("good"), width: 2, points: { show: false } },
        { stroke: colour("bad"), fill: colour("bad"), width: 1, paths: bars, points: { show: false } },
        { stroke: colour("warn"), width: 1.5, dash: [6, 4], points: { show: false } },
      ],
    };
    const data = [
      spans.map((span) => Date.parse(span.at) / 1000),
      spans.map((span) => span.sent),
      spans.map((span) => span.delivered),
      spans.map((span) => span.bounced + span.complained),
      near ? limit : spans.map(() => null),
    ];
    this.chart = new uPlot(options, data, this.box);
  }
}

/** Of the chart: times in Unix seconds, or the day where it shows several, each day once. */
function ticks(values, span) {
  const format = span > 2 * 86_400_000 ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" };
  const texts = values.map((at) => new Date(at * 1000).toLocaleString("en-GB", format));
  return texts.map((text, index) => (text === texts[index - 1] ? "" : text));
}

function numbers({ totals, before, rates, rates_before, since, until }) {
  const rows = ROWS.map((name) => {
    const title = T.stats.rows[name];
    const filters = { state: LINKS[name], since, until };
    return el(
      "tr",
      { "data-count": name },
      el("th", { scope: "row" }, LINKS[name] ? el("a", { href: link("mail", null, filters) }, title) : title, el("span", { class: "dim hint" }, T.stats.hints[name] ?? "")),
      el("td", { class: "value" }, count(totals[name])),
      el("td", {}, name in rates ? percent(rates[name]) : ""),
      el("td", { class: "dim" }, count(before[name])),
      el("td", { class: "dim" }, name in rates ? percent(rates_before[name]) : ""),
    );
  });
  const heads = T.stats.columns.map((name) => (name ? el("th", { scope: "col" }, name) : el("td", {})));
  return el("table", { class: "numbers-table" }, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows));
}

function limits({ totals, rates, limits: allowed, least_mails: least, since, until }) {
  const quota = allowed.max_send_rate == null ? null : T.stats.quota(allowed.max_24_hour_send == null ? T.unlimited : count(allowed.max_24_hour_send), decimal(allowed.max_send_rate));
  return el(
    "div",
    {},
    el("p", { class: "dim" }, `${clock(since)} – ${clock(until)} (${zone})`),
    gauge("bounced", totals.sent >= least, rates.bounced, allowed.bounce_review, allowed.bounce_pause),
    gauge("complained", totals.sent >= least, rates.complained, allowed.complaint_review, allowed.complaint_pause),
    quota && el("p", { class: "dim" }, quota),
  );
}

/** A rate on a scale with both of SES's limits; `judged` unless it is of too few mails to prove anything. */
function gauge(name, judged, rate, review, pause) {
  const above = rate == null ? "" : rate >= pause ? "pause" : rate >= review ? "review" : "";
  const level = judged ? above : "";
  const whole = pause * 1.2;
  const bar = el("div", { class: `gauge ${level}`, "aria-hidden": "true" }, el("i"), el("s"), el("s"));
  const [value, first, second] = bar.children;
  value.style.setProperty("width", `${100 * Math.min(1, (rate ?? 0) / whole)}%`);
  first.style.setProperty("left", `${(100 * review) / whole}%`);
  second.style.setProperty("left", `${(100 * pause) / whole}%`);
  return el(
    "div",
    { class: "gauged", "data-rate": name },
    el("p", {}, el("b", {}, T.stats.gaugeOf[name]), ` ${percent(rate)}`, above && el("span", { class: level ? "warn" : "dim" }, ` – ${level ? T.stats.over[level] : T.stats.few}`)),
    bar,
    el("p", { class: "dim" }, T.stats.gauge(percent(review), percent(pause))),
  );
}

function points({ points: spans }, open) {
  const heads = ["", ...ROWS.map((name) => T.stats.rows[name])].map((name) => (name ? el("th", { scope: "col" }, name) : el("td", {})));
  const rows = () =>
    spans
      .filter((span) => ROWS.some((name) => span[name]))
      .map((span) => el("tr", {}, el("th", { scope: "row" }, clock(span.at)), ...ROWS.map((name) => el("td", {}, count(span[name])))));
  const body = el("tbody");
  const fill = ({ target }) => target.open && body.replaceChildren(...rows());
  return el(
    "details",
    { class: "points", open, ontoggle: fill },
    el("summary", {}, T.stats.points),
    el("div", { class: "wide", tabindex: "0", role: "group", "aria-label": T.stats.points }, el("table", {}, el("thead", {}, el("tr", {}, ...heads)), body)),
  );
}
