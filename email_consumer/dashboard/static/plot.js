/* global uPlot */
// Plot of the last five minutes. A point is [at, sent, limit, in flight, throttled, retried, transactional].
// The curves are stacked: transactional mail, and above it bulk mail, up to all that was sent.

import { byId, el } from "./dom.js";
import { decimal } from "./format.js";
import { T } from "./texts.js";

const SPAN = 300;
const MINUTES = [5, 4, 3, 2, 1, 0];
const HEIGHT = 210;
const [AT, SENT, LIMIT, TRANSACTIONAL] = [0, 1, 2, 6];

export class Plot {
  constructor() {
    this.box = byId("plot");
    this.points = [];
    new ResizeObserver(() => this.resize()).observe(this.box);
    // Canvas colours don't follow the style sheet automatically.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
  }

  fill(points) {
    this.points = points;
    this.build();
  }

  add(point) {
    this.points.push(point);
    while (this.points[0][0] < point[0] - SPAN) this.points.shift();
    if (this.chart) this.chart.setData(this.data());
    else this.build();
  }

  /** The total of one value in the time shown; `index` is its position in a point. */
  sum(index) {
    return this.points.reduce((total, point) => total + point[index], 0);
  }

  data() {
    return [AT, SENT, TRANSACTIONAL, LIMIT].map((index) => this.points.map((point) => point[index]));
  }

  size() {
    return { width: this.box.clientWidth, height: HEIGHT };
  }

  resize() {
    const { width, height } = this.size();
    if (this.chart && width && (width !== this.chart.width || height !== this.chart.height)) {
      this.chart.setSize({ width, height });
    }
  }

  build() {
    this.chart?.destroy();
    this.chart = null;
    if (!this.box.clientWidth) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const axis = {
      stroke: colour("dim"),
      grid: { stroke: colour("line"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    const options = {
      ...this.size(),
      padding: [8, 22, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: {
        x: { range: () => [this.now() - SPAN, this.now()] },
        y: { range: (_, __, most) => [0, Math.max(1, most * 1.15)] },
      },
      axes: [
        {
          ...axis,
          size: 28,
          splits: () => MINUTES.map((minutes) => this.now() - 60 * minutes),
          values: () => MINUTES.map((minutes) => T.minutesAgo(minutes)),
        },
        { ...axis, size: 56, values: (_, values) => values.map(decimal) },
      ],
      series: [
        {},
        { stroke: colour("accent"), width: 2, fill: colour("accent-fill"), points: { show: false } },
        { stroke: colour("transactional"), width: 2, fill: colour("transactional-fill"), points: { show: false } },
        {
          stroke: colour("warn"),
          width: 1.5,
          dash: [6, 4],
          points: { show: false },
          paths: uPlot.paths.stepped({ align: -1 }),
        },
      ],
      hooks: { setCursor: [() => this.legend()], setData: [() => this.legend()] },
    };
    this.chart = new uPlot(options, this.data(), this.box);
  }

  now() {
    return this.points.at(-1)?.[0] ?? Date.now() / 1000;
  }

  /** The values under the pointer, else the latest. */
  legend() {
    const index = this.chart?.cursor.idx;
    const point = index == null ? this.points.at(-1) : this.points[index];
    if (!point) return;
    byId("legend-transactional").textContent = decimal(point[TRANSACTIONAL]);
    byId("legend-bulk").textContent = decimal(point[SENT] - point[TRANSACTIONAL]);
    byId("legend-limit").textContent = decimal(point[LIMIT]);
    byId("legend-at").replaceChildren(index == null ? "" : el("time", {}, new Date(point[0] * 1000).toLocaleTimeString("en-GB")));
  }
}
