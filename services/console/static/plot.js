// A plot of a connector's last minute, right edge now: lines, steps, and regions where something was wrong.

import { floorOf, niceTicks, unbroken } from "./scale.js";
import { Surface } from "./surface.js";
import { STALE_S, anomalyWord, number } from "./words.js";

const LARGE = { left: 54, right: 14, top: 24, bottom: 26, fontSize: 12 };
const SMALL = { left: 46, right: 8, top: 8, bottom: 8, fontSize: 11 };
const HEADROOM = 1.06;

export class Plot {
  #surface;
  #margin;

  /** `options`: {unit, lines, small, fromZero, leastRange}; a line is {value(sample), colour, dash, dashOffset, width}.
   *
   * The first line is drawn as the measured one: over an area, with a dot for each sample.
   */
  constructor(canvas, options) {
    this.options = options;
    this.#surface = new Surface(canvas);
    this.#margin = options.small ? SMALL : LARGE;
  }

  /** Return how many seconds ago the plot shows at `x` (pixels from its left edge), between 0 and spanS. */
  agoAt(x, spanS) {
    const { left, right } = this.#margin;
    const inner = this.#surface.width - left - right;
    return Math.min(spanS, Math.max(0, ((this.#surface.width - right - x) / inner) * spanS));
  }

  /** Draw; `cursor` is the sample to point out, `notice` a sentence for where the line would be. */
  draw({ samples, anomalies = [], spanS, nowS, cursor = null, notice = "" }) {
    const surface = this.#surface;
    const margin = this.#margin;
    const inner = { width: surface.width - margin.left - margin.right, height: surface.height - margin.top - margin.bottom };
    if (inner.width <= 0 || inner.height <= 0) return;
    const shown = samples.filter((sample) => sample.atS >= nowS - spanS - STALE_S);
    const ticks = this.#ticks(shown, inner.height);
    const [low, high] = [ticks[0], ticks[ticks.length - 1]];
    const view = {
      shown,
      nowS,
      spanS,
      pixelsPerS: inner.width / spanS,
      left: margin.left,
      right: margin.left + inner.width,
      top: margin.top,
      bottom: margin.top + inner.height,
      x: (atS) => margin.left + inner.width * (1 - (nowS - atS) / spanS),
      y: (value) => margin.top + inner.height * (1 - (value - low) / (high - low)),
    };
    surface.clear(margin.fontSize);
    this.#drawAxes(view, ticks);
    surface.clipped(view.left, 0, inner.width + 6, surface.height, () => {
      this.#drawAnomalies(view, anomalies);
      const [measured, ...others] = this.options.lines;
      for (const line of others) this.#drawSteps(view, line);
      this.#drawMeasured(view, measured);
      if (cursor) this.#drawCursor(view, cursor);
    });
    if (notice) this.#drawNotice(view, notice);
  }

  #ticks(samples, height) {
    const { fromZero, leastRange, lines, small } = this.options;
    const values = samples.flatMap((sample) => lines.map((line) => line.value(sample)).filter((value) => value !== null));
    let [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [0, leastRange];
    if (fromZero) {
      [low, high] = [floorOf(low, Math.max(leastRange, high)) * HEADROOM, Math.max(leastRange, high) * HEADROOM];
    } else if (high - low < leastRange) {
      const middle = (high + low) / 2;
      [low, high] = [middle - leastRange / 2, middle + leastRange / 2];
    }
    return niceTicks(low, high, small ? 2 : height < 220 ? 4 : 6);
  }

  #drawAxes({ left, right, top, bottom, x, y, nowS, spanS }, ticks) {
    const { colours } = this.#surface;
    const { small, unit } = this.options;
    const digits = Number.isInteger(ticks[1] - ticks[0]) ? 0 : 1;
    ticks.forEach((tick, n) => {
      const at = Math.round(y(tick)) + 0.5;
      this.#surface.line(left, at, right, at, tick === 0 ? colours.muted : colours.grid);
      if (!small || n === 0 || n === ticks.length - 1) {
        this.#surface.text(`${number(tick, digits)} ${unit}`, left - 8, at, { align: "right" });
      }
    });
    const stepS = small || right - left < 420 ? 20 : 10;
    for (let agoS = spanS; agoS >= 0; agoS -= stepS) {
      const at = Math.round(x(nowS - agoS)) + 0.5;
      if (agoS > 0 && agoS < spanS) this.#surface.line(at, top, at, bottom, colours.grid);
      if (small) continue;
      const [word, place, align] = agoS === 0 ? ["now", right + 6, "right"] : [`${number(-agoS, 0)} s`, at, "center"];
      this.#surface.text(word, place, bottom + 14, { align });
    }
  }

  #drawAnomalies({ left, right, top, bottom, x, nowS, spanS }, anomalies) {
    const { colours, context } = this.#surface;
    const shown = anomalies.filter((a) => a.startedS < nowS && (a.endedS ?? nowS) > nowS - spanS);
    let labelsFrom = right;
    for (const anomaly of shown.sort((a, b) => b.startedS - a.startedS)) {
      const colour = colours[anomaly.severity] ?? colours.warning;
      const from = Math.max(left, x(anomaly.startedS));
      const to = Math.min(right, x(anomaly.open ? nowS : (anomaly.endedS ?? anomaly.updatedS)));
      context.fillStyle = colours[`${anomaly.severity}-tint`] ?? colours["warning-tint"];
      context.fillRect(from, top, Math.max(2, to - from), bottom - top);
      if (this.options.small) continue;
      context.fillStyle = colour;
      context.fillRect(from, top, Math.max(2, to - from), 3);
      // The start, and the instant of detection, read without colour.
      if (x(anomaly.startedS) >= left) this.#surface.line(from, top, from, bottom, colour, { dash: [3, 3] });
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
      if (from + context.measureText(label).width + 8 < Math.max(labelsFrom, from + 1)) {
        this.#surface.text(label, from, top - 11, { colour });
      } else if (labelsFrom === right) {
        this.#surface.text(label, right, top - 11, { colour, align: "right" });
      }
      labelsFrom = from;
    }
  }

  #drawSteps({ shown, x, y, nowS, pixelsPerS }, { value, colour: name, dash = [], dashOffset = 0, width = 1.75 }) {
    const { colours, context } = this.#surface;
    const colour = colours[name];
    const period = dash.reduce((sum, length) => sum + length, 0) || 1;
    for (const run of unbroken(shown.filter((sample) => value(sample) !== null), STALE_S)) {
      run.forEach((sample, n) => {
        const next = run[n + 1];
        const untilS = next?.atS ?? (nowS - sample.atS <= STALE_S ? nowS : sample.atS);
        // Counted from the epoch, so that the dashes move with the line.
        context.lineDashOffset = ((sample.atS * pixelsPerS) % period) + dashOffset;
        this.#surface.line(x(sample.atS), y(value(sample)), x(untilS), y(value(sample)), colour, { width, dash });
        context.globalAlpha = 0.35;
        if (next && value(next) !== value(sample)) this.#surface.line(x(untilS), y(value(sample)), x(untilS), y(value(next)), colour, { width });
        context.globalAlpha = 1;
      });
    }
    context.lineDashOffset = 0;
  }

  #drawMeasured({ shown, x, y, nowS, top, bottom }, { value, colour: name }) {
    const { colours, context } = this.#surface;
    const colour = colours[name];
    const { small } = this.options;
    const fill = context.createLinearGradient(0, top, 0, bottom);
    fill.addColorStop(0, colour);
    fill.addColorStop(1, "transparent");
    const known = shown.filter((sample) => value(sample) !== null);
    for (const run of unbroken(known, STALE_S)) {
      const last = run[run.length - 1];
      context.beginPath();
      for (const sample of run) context.lineTo(x(sample.atS), y(value(sample)));
      context.strokeStyle = colour;
      context.lineWidth = small ? 1.5 : 2.25;
      context.stroke();
      context.lineTo(x(last.atS), bottom);
      context.lineTo(x(run[0].atS), bottom);
      context.globalAlpha = 0.2;
      context.fillStyle = fill;
      context.fill();
      context.globalAlpha = 1;
      if (!small) for (const sample of run) this.#surface.dot(x(sample.atS), y(value(sample)), 2.2, colour);
      if (last === known[known.length - 1] && nowS - last.atS <= STALE_S) {
        // Until the next reading comes nobody knows more than the last one.
        this.#surface.line(x(last.atS), y(value(last)), x(nowS), y(value(last)), colour, { width: 1.5, dash: [2, 4] });
        this.#surface.dot(x(last.atS), y(value(last)), small ? 2.5 : 4.5, colour);
      }
    }
  }

  #drawCursor(view, cursor) {
    const value = this.options.lines[0].value(cursor);
    this.#surface.cursor(view.x(cursor.atS), view, value === null ? null : view.y(value), this.options.small ? 4 : 6);
  }

  #drawNotice({ left, right, top, bottom }, notice) {
    const { colours, context } = this.#surface;
    const width = context.measureText(notice).width + 24;
    const middle = { x: (left + right) / 2, y: (top + bottom) / 2 };
    context.fillStyle = colours.panel;
    context.fillRect(middle.x - width / 2, middle.y - 14, width, 28);
    context.strokeStyle = colours.muted;
    context.lineWidth = 1;
    context.strokeRect(Math.round(middle.x - width / 2) + 0.5, Math.round(middle.y) - 13.5, Math.round(width), 27);
    this.#surface.text(notice, middle.x, middle.y + 0.5, { colour: colours.text, align: "center" });
  }
}
