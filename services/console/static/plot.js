// The graph: a canvas that shows a connector's last minute, right edge now.

import { colours } from "./dom.js";
import { nearest, niceTicks, unbroken } from "./scale.js";
import { amperes, anomalyWord, number, secondsAgo } from "./words.js";

export const STALE_S = 3.5;
const LEAST_RANGE_A = 10;
const FONT = '12px Inter, system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif';
const MARGIN = { left: 54, right: 14, top: 24, bottom: 26 };
const HEADROOM = 1.06;
const DASH = [7, 4];

const SEVERITIES = ["info", "warning", "critical"];
const COLOURS = ["text", "muted", "grid", "panel", "current", "offered", ...SEVERITIES, ...SEVERITIES.map((s) => `${s}-tint`)];

export class Plot {
  #context;
  #colours = {};
  #width = 0;
  #height = 0;

  constructor(canvas) {
    this.canvas = canvas;
    this.#context = canvas.getContext("2d");
    new ResizeObserver(() => this.#resize()).observe(canvas.parentElement);
    document.addEventListener("themechange", () => this.#readColours());
    this.#readColours();
    this.#resize();
  }

  #readColours() {
    this.#colours = colours(COLOURS);
  }

  #resize() {
    const { clientWidth, clientHeight } = this.canvas.parentElement;
    const ratio = devicePixelRatio || 1;
    [this.#width, this.#height] = [clientWidth, clientHeight];
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  /** Return how many seconds ago the graph shows at `x` (pixels from its left edge), between 0 and spanS. */
  agoAt(x, spanS) {
    const inner = this.#width - MARGIN.left - MARGIN.right;
    return Math.min(spanS, Math.max(0, ((this.#width - MARGIN.right - x) / inner) * spanS));
  }

  /** Draw; `cursor` is the sample to point out, `notice` a sentence for where the line would be. */
  draw({ samples, anomalies, spanS, nowS, cursor = null, notice = "" }) {
    const inner = { width: this.#width - MARGIN.left - MARGIN.right, height: this.#height - MARGIN.top - MARGIN.bottom };
    if (inner.width <= 0 || inner.height <= 0) return;
    const shown = samples.filter((sample) => sample.atS >= nowS - spanS - STALE_S);
    const ticks = currentTicks(shown, inner.height);
    const [low, high] = [ticks[0], ticks[ticks.length - 1]];
    const view = {
      shown,
      nowS,
      spanS,
      pixelsPerS: inner.width / spanS,
      left: MARGIN.left,
      right: MARGIN.left + inner.width,
      top: MARGIN.top,
      bottom: MARGIN.top + inner.height,
      x: (atS) => MARGIN.left + inner.width * (1 - (nowS - atS) / spanS),
      y: (currentA) => MARGIN.top + inner.height * (1 - (currentA - low) / (high - low)),
    };
    const context = this.#context;
    context.clearRect(0, 0, this.#width, this.#height);
    context.font = FONT;
    context.lineJoin = "round";
    this.#drawAxes(view, ticks);
    context.save();
    context.beginPath();
    context.rect(view.left, 0, inner.width + 6, this.#height);
    context.clip();
    this.#drawAnomalies(view, anomalies);
    this.#drawOffered(view);
    this.#drawCurrent(view);
    if (cursor) this.#drawCursor(view, cursor);
    context.restore();
    if (notice) this.#drawNotice(view, notice);
  }

  #drawAxes({ left, right, top, bottom, x, y, nowS, spanS }, ticks) {
    const context = this.#context;
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    const digits = Number.isInteger(ticks[1] - ticks[0]) ? 0 : 1;
    for (const tick of ticks) {
      const at = Math.round(y(tick)) + 0.5;
      this.#line(left, at, right, at, tick === 0 ? this.#colours.muted : this.#colours.grid);
      this.#text(`${number(tick, digits)} A`, left - 8, at);
    }
    const stepS = right - left < 420 ? 20 : 10;
    for (let agoS = spanS; agoS >= 0; agoS -= stepS) {
      const at = Math.round(x(nowS - agoS)) + 0.5;
      if (agoS > 0 && agoS < spanS) this.#line(at, top, at, bottom, this.#colours.grid);
      context.textAlign = agoS === 0 ? "right" : "center";
      this.#text(agoS === 0 ? "now" : `${number(-agoS, 0)} s`, agoS === 0 ? right + 6 : at, bottom + 14);
    }
  }

  #drawAnomalies({ left, right, top, bottom, x, nowS, spanS }, anomalies) {
    const context = this.#context;
    const shown = anomalies.filter((a) => a.startedS < nowS && (a.endedS ?? nowS) > nowS - spanS);
    let labelsFrom = right;
    for (const anomaly of shown.sort((a, b) => b.startedS - a.startedS)) {
      const colour = this.#colours[anomaly.severity] ?? this.#colours.warning;
      const from = Math.max(left, x(anomaly.startedS));
      const to = Math.min(right, x(anomaly.open ? nowS : (anomaly.endedS ?? anomaly.updatedS)));
      context.fillStyle = this.#colours[`${anomaly.severity}-tint`] || this.#colours["warning-tint"];
      context.fillRect(from, top, Math.max(2, to - from), bottom - top);
      context.fillStyle = colour;
      context.fillRect(from, top, Math.max(2, to - from), 3);
      // The start, and the instant of detection, read without colour.
      context.setLineDash([3, 3]);
      if (x(anomaly.startedS) >= left) this.#line(from, top, from, bottom, colour);
      context.setLineDash([]);
      const detected = x(anomaly.detectedS);
      if (detected > left && detected < right) {
        context.fillStyle = colour;
        context.beginPath();
        context.moveTo(detected - 5, top);
        context.lineTo(detected + 5, top);
        context.lineTo(detected, top + 8);
        context.fill();
      }
      const label = `\u25B2 ${anomalyWord(anomaly)}, ${anomaly.severity}`;
      context.textAlign = "left";
      if (from + context.measureText(label).width + 8 < Math.max(labelsFrom, from + 1)) {
        this.#text(label, from, top - 11, colour);
      } else if (labelsFrom === right) {
        context.textAlign = "right";
        this.#text(label, right, top - 11, colour);
      }
      labelsFrom = from;
    }
  }

  #drawOffered({ shown, x, y, nowS, pixelsPerS }) {
    const context = this.#context;
    context.lineWidth = 1.75;
    for (const run of unbroken(shown.filter((sample) => sample.offeredA !== null), STALE_S)) {
      run.forEach(({ atS, offeredA }, n) => {
        const next = run[n + 1];
        const untilS = next?.atS ?? (nowS - atS <= STALE_S ? nowS : atS);
        context.setLineDash(DASH);
        // Counted from the epoch, so that the dashes move with the line.
        context.lineDashOffset = (atS * pixelsPerS) % (DASH[0] + DASH[1]);
        this.#line(x(atS), y(offeredA), x(untilS), y(offeredA), this.#colours.offered);
        context.setLineDash([]);
        context.globalAlpha = 0.3;
        if (next && next.offeredA !== offeredA) this.#line(x(untilS), y(offeredA), x(untilS), y(next.offeredA), this.#colours.offered);
        context.globalAlpha = 1;
      });
    }
    context.lineDashOffset = 0;
  }

  #drawCurrent({ shown, x, y, nowS, top, bottom }) {
    const context = this.#context;
    const colour = this.#colours.current;
    const fill = context.createLinearGradient(0, top, 0, bottom);
    fill.addColorStop(0, colour);
    fill.addColorStop(1, "transparent");
    for (const run of unbroken(shown, STALE_S)) {
      const last = run[run.length - 1];
      context.beginPath();
      for (const sample of run) context.lineTo(x(sample.atS), y(sample.currentA));
      context.strokeStyle = colour;
      context.lineWidth = 2.25;
      context.stroke();
      context.lineTo(x(last.atS), y(0));
      context.lineTo(x(run[0].atS), y(0));
      context.globalAlpha = 0.2;
      context.fillStyle = fill;
      context.fill();
      context.globalAlpha = 1;
      for (const sample of run) this.#dot(x(sample.atS), y(sample.currentA), 2.2, colour);
      if (last === shown[shown.length - 1] && nowS - last.atS <= STALE_S) {
        // Until the next reading comes nobody knows more than the last one.
        context.setLineDash([2, 4]);
        context.lineWidth = 1.5;
        this.#line(x(last.atS), y(last.currentA), x(nowS), y(last.currentA), colour);
        context.setLineDash([]);
        this.#dot(x(last.atS), y(last.currentA), 4.5, colour);
      }
    }
  }

  #drawCursor({ x, y, top, bottom }, cursor) {
    const context = this.#context;
    const at = x(cursor.atS);
    context.lineWidth = 1;
    this.#line(at, top, at, bottom, this.#colours.text);
    this.#dot(at, y(cursor.currentA), 6, this.#colours.text);
    this.#dot(at, y(cursor.currentA), 4, this.#colours.panel);
  }

  #drawNotice({ left, right, top, bottom }, notice) {
    const context = this.#context;
    const width = context.measureText(notice).width + 24;
    const middle = { x: (left + right) / 2, y: (top + bottom) / 2 };
    context.fillStyle = this.#colours.panel;
    context.fillRect(middle.x - width / 2, middle.y - 14, width, 28);
    context.strokeStyle = this.#colours.muted;
    context.lineWidth = 1;
    context.strokeRect(Math.round(middle.x - width / 2) + 0.5, Math.round(middle.y) - 13.5, Math.round(width), 27);
    context.textAlign = "center";
    this.#text(notice, middle.x, middle.y + 0.5, this.#colours.text);
  }

  #line(x1, y1, x2, y2, colour) {
    const context = this.#context;
    context.strokeStyle = colour;
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
  }

  #dot(x, y, radius, colour) {
    const context = this.#context;
    context.fillStyle = colour;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
  }

  #text(text, x, y, colour = this.#colours.muted) {
    this.#context.fillStyle = colour;
    this.#context.fillText(text, x, y);
  }
}

function currentTicks(samples, height) {
  let [low, high] = [0, LEAST_RANGE_A];
  for (const { currentA, offeredA } of samples) {
    low = Math.min(low, currentA);
    high = Math.max(high, currentA, offeredA ?? 0);
  }
  return niceTicks(low * HEADROOM, high * HEADROOM, height < 220 ? 4 : 6);
}

/** Return what a read-out says of a sample. */
export function readout(sample, nowS) {
  const offered = sample.offeredA === null ? "" : ` · offered ${amperes(sample.offeredA)}`;
  return `${secondsAgo(Math.max(0, nowS - sample.atS))} · ${amperes(sample.currentA)}${offered}`;
}

export { nearest };
