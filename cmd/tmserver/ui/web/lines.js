// @ts-check
// Lines over time by uPlot: drag to zoom, cursors in sync, a point that is pinned.
import { h, short } from "./dom.js";

/** @type {any} uPlot's script has made it global */
const uPlot = /** @type {any} */ (globalThis).uPlot;

/** @param {string} name */
const themed = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** @param {string} value a colour, or "var(--name)" */
const resolve = (value) => value.startsWith("var(") ? themed(value.slice(4, -1)) : value;

/** Times on the axis, in UTC: dates, or times of a day. @param {number[]} at seconds @param {number} span seconds */
function times(at, span) {
  return at.map((seconds) => {
    const text = new Date(seconds * 1000).toISOString();
    return span > 3 * 86400 ? text.slice(span > 300 * 86400 ? 0 : 5, 10) : span > 600 ? text.slice(11, 16) : text.slice(11, 19);
  });
}

const day = 86400;
const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, day, 2 * day, 7 * day, 14 * day, 30 * day, 90 * day, 365 * day];

/**
 * @typedef {{name: string, colour: string, dash?: number[], values: (number | null)[], points?: boolean, width?: number}} Line
 * @param {HTMLElement} place
 * @param {{x: number[], lines: Line[], height: number, time: boolean, dates?: boolean, names?: string[], sync: string, title?: string, label: string,
 *   marks?: {x: number, text: string}[], pinned?: number, range?: [number, number] | null, small?: boolean,
 *   onpoint?: (index: number | null) => void, onpin?: (index: number) => void, onzoom?: (range: [number, number] | null) => void}} options
 * @param {AbortSignal} signal
 */
export function lines(place, options, signal) {
  const axis = (/** @type {any} */ more) => ({
    stroke: themed("--soft"), font: "11px system-ui, sans-serif", grid: { stroke: themed("--line2"), width: 1 }, ticks: { show: false }, ...more,
  });
  const low = options.x[0] ?? 0, high = options.x.at(-1) ?? 1;
  const margin = high > low ? (high - low) * 0.02 : options.time ? 43200 : 0.5;
  const whole = [low - margin, high + margin];

  const drawMarks = (/** @type {any} */ plot) => {
    const context = plot.ctx, ratio = devicePixelRatio;
    context.save();
    context.font = `${10 * ratio}px system-ui, sans-serif`;
    for (const mark of options.marks ?? []) {
      const x = plot.valToPos(mark.x, "x", true);
      if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) continue;
      context.strokeStyle = themed("--grey");
      context.setLineDash([3 * ratio, 3 * ratio]);
      context.beginPath();
      context.moveTo(x, plot.bbox.top);
      context.lineTo(x, plot.bbox.top + plot.bbox.height);
      context.stroke();
      context.fillStyle = themed("--soft");
      context.fillText(mark.text, x + 4 * ratio, plot.bbox.top + 10 * ratio);
    }
    if (options.pinned !== undefined && options.x[options.pinned] !== undefined) {
      const x = plot.valToPos(options.x[options.pinned], "x", true);
      context.setLineDash([]);
      context.strokeStyle = themed("--accent");
      context.lineWidth = 2 * ratio;
      context.beginPath();
      context.moveTo(x, plot.bbox.top);
      context.lineTo(x, plot.bbox.top + plot.bbox.height);
      context.stroke();
    }
    context.restore();
  };

  let plot = /** @type {any} */ (null);
  const make = () => {
    plot?.destroy();
    const width = Math.max(200, place.clientWidth);
    plot = new uPlot({
      width, height: options.height, legend: { show: false },
      tzDate: (/** @type {number} */ seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      cursor: { sync: { key: options.sync }, drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
      select: { show: true, left: 0, top: 0, width: 0, height: 0 },
      scales: { x: { time: options.time, range: () => options.range ?? whole }, y: { range: (/** @type {any} */ _, /** @type {number} */ min, /** @type {number} */ max) => [Math.min(0, min ?? 0), (max ?? 1) > 0 ? (max ?? 1) * 1.06 : 1] } },
      axes: [
        axis({ size: options.small ? 22 : 30, grid: { show: !options.small, stroke: themed("--line2"), width: 1 }, 
          space: options.names ? 70 : 64, incrs: options.names ? [1, 2, 5, 10, 20, 50, 100] : options.dates ? steps.filter((step) => step >= day) : steps,
          values: (/** @type {any} */ plot, /** @type {number[]} */ at) => options.names ? at.map((i) => options.names?.[i] ?? "") : times(at, plot.scales.x.max - plot.scales.x.min) }),
        axis({ size: 54, space: options.small ? 26 : 40, values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map(short) }),
      ],
      series: [{}, ...options.lines.map((line) => ({ label: line.name, stroke: resolve(line.colour), dash: line.dash, width: line.width ?? 2, spanGaps: false,
        points: { show: line.points || options.x.length < 60, size: line.points ? 6 : 4, fill: resolve(line.colour) } }))],
      hooks: {
        draw: [drawMarks],
        setCursor: [(/** @type {any} */ at) => options.onpoint?.(at.cursor.idx ?? null)],
        setSelect: [(/** @type {any} */ at) => {
          if (at.select.width < 4) return;
          options.onzoom?.([at.posToVal(at.select.left, "x"), at.posToVal(at.select.left + at.select.width, "x")]);
        }],
      },
    }, [options.x, ...options.lines.map((line) => line.values)], place);
    plot.over.addEventListener("click", () => {
      if (plot.select.width < 4 && plot.cursor.idx !== null && plot.cursor.idx !== undefined) options.onpin?.(plot.cursor.idx);
    });
    plot.over.addEventListener("dblclick", () => options.onzoom?.(null));
    plot.root.querySelector("canvas")?.setAttribute("aria-hidden", "true");
  };

  place.setAttribute("role", options.onpoint ? "group" : "img");
  if (options.onpoint) {
    place.tabIndex = 0;
    place.addEventListener("keydown", (event) => {
      const at = plot?.cursor.idx ?? -1;
      if (event.key === "Enter" && at >= 0) options.onpin?.(at);
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      event.preventDefault();
      const next = Math.max(0, Math.min(options.x.length - 1, at + (event.key === "ArrowLeft" ? -1 : 1)));
      plot?.setCursor({ left: plot.valToPos(options.x[next], "x"), top: 0 });
    });
  }
  place.setAttribute("aria-label", options.label);
  // The width is known once the place is on the page, and changes with the window.
  const observer = new ResizeObserver(() => {
    if (!place.isConnected) return;
    if (!plot) make();
    else if (Math.abs(plot.width - place.clientWidth) > 1) plot.setSize({ width: Math.max(200, place.clientWidth), height: options.height });
  });
  observer.observe(place);
  addEventListener("themechange", make, { signal });
  signal.addEventListener("abort", () => { observer.disconnect(); plot?.destroy(); });
  return h("span", null);
}
