// The waveform of an anomaly: the current around it, what it was allowed to be, and when it was detected.

import { floorOf, niceTicks, unbroken } from "./scale.js";
import { Surface } from "./surface.js";
import { STALE_S, number } from "./words.js";

const MARGIN = { left: 54, right: 18, top: 26, bottom: 26 };
const LEAST_RANGE_A = 10;
const HEADROOM = 1.06;
const LIMIT_SHARE = 1.5;
const TICK_PIXELS = 84;
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

/** How many seconds one sample of each fineness stands for. */
const FINENESS_S = { reading: 1, "10s": 10, "1m": 60, "1h": 3600 };

/** Return the longest silence between samples that is not a gap. */
const gapS = (fineness) => STALE_S * (FINENESS_S[fineness] ?? 1);

export class EvidencePlot {
  #surface;
  #shown = null;

  constructor(canvas) {
    this.#surface = new Surface(canvas, () => this.#draw());
  }

  /** Draw {samples, sinceS, untilS, fineness, startedS, endedS, openS, detectedS, severity, cursor}; null clears. */
  show(picture) {
    this.#shown = picture;
    this.#draw();
  }

  /** Return the instant at `x`, pixels from the left edge. */
  instantAt(x) {
    const { sinceS, untilS } = this.#shown;
    const share = (x - MARGIN.left) / (this.#surface.width - MARGIN.left - MARGIN.right);
    return sinceS + Math.min(1, Math.max(0, share)) * (untilS - sinceS);
  }

  #draw() {
    // While the surface is being made it already tells that it changed.
    const surface = this.#surface;
    if (!surface) return;
    const inner = { width: surface.width - MARGIN.left - MARGIN.right, height: surface.height - MARGIN.top - MARGIN.bottom };
    surface.clear();
    if (!this.#shown || inner.width <= 0 || inner.height <= 0) return;
    const { samples, sinceS, untilS, cursor } = this.#shown;
    const ticks = currentTicks(samples, inner.height);
    const [low, high] = [ticks[0], ticks[ticks.length - 1]];
    const view = {
      ...this.#shown,
      left: MARGIN.left,
      right: MARGIN.left + inner.width,
      top: MARGIN.top,
      bottom: MARGIN.top + inner.height,
      x: (atS) => MARGIN.left + (inner.width * (atS - sinceS)) / (untilS - sinceS),
      y: (currentA) => MARGIN.top + inner.height * (1 - (currentA - low) / (high - low)),
    };
    this.#drawRegion(view);
    this.#drawAxes(view, ticks);
    surface.clipped(view.left, view.top - 4, inner.width + 1, inner.height + 8, () => {
      this.#drawLimit(view);
      this.#drawCurrent(view);
    });
    this.#drawDetection(view);
    if (cursor) surface.cursor(view.x(cursor.atS), view, view.y(cursor.currentA));
  }

  #drawAxes({ left, right, top, bottom, x, y, sinceS, untilS }, ticks) {
    const surface = this.#surface;
    const digits = Number.isInteger(ticks[1] - ticks[0]) ? 0 : 1;
    for (const tick of ticks) {
      const at = Math.round(y(tick)) + 0.5;
      surface.line(left, at, right, at, tick === 0 ? surface.colours.muted : surface.colours.grid);
      surface.text(`${number(tick, digits)} A`, left - 8, at, { align: "right" });
    }
    const most = Math.max(2, (right - left) / TICK_PIXELS);
    const stepS = STEPS_S.find((step) => (untilS - sinceS) / step <= most) ?? STEPS_S.at(-1);
    // From local midnight, so that the ticks are round where the reader lives.
    const offsetS = new Date(sinceS * 1000).getTimezoneOffset() * 60;
    for (let atS = Math.ceil((sinceS - offsetS) / stepS) * stepS + offsetS; atS <= untilS; atS += stepS) {
      const at = Math.round(x(atS)) + 0.5;
      surface.line(at, top, at, bottom, surface.colours.grid);
      const align = at < left + 24 ? "left" : at > right - 24 ? "right" : "center";
      surface.text(clock(atS, stepS), at, bottom + 14, { align });
    }
  }

  #drawRegion({ left, right, top, bottom, x, severity, startedS, endedS, openS }) {
    const { context, colours } = this.#surface;
    const from = Math.max(left, x(startedS));
    const to = Math.min(right, x(endedS ?? openS));
    context.fillStyle = colours[`${severity}-tint`] || colours["warning-tint"];
    context.fillRect(from, top, Math.max(2, to - from), bottom - top);
    context.fillStyle = colours[severity] || colours.warning;
    context.fillRect(from, top, Math.max(2, to - from), 3);
  }

  #drawDetection({ left, right, top, bottom, x, severity, startedS, detectedS, endedS }) {
    const surface = this.#surface;
    const colour = surface.colours[severity] || surface.colours.warning;
    const marks = [[startedS, "began"], [detectedS, `\u25BC detected after ${number(detectedS - startedS, 0)} s`], [endedS, "ended"]];
    let free = left;
    for (const [atS, words] of marks) {
      if (atS === null || x(atS) < left - 1 || x(atS) > right + 1) continue;
      const at = Math.round(x(atS)) + 0.5;
      surface.line(at, top, at, bottom, colour, { dash: atS === detectedS ? [] : [3, 3], width: atS === detectedS ? 1.5 : 1 });
      const width = surface.context.measureText(words).width;
      const from = Math.max(free, Math.min(at - (atS === detectedS ? 5 : 0), right - width));
      if (from + width > right + 14) continue;
      surface.text(words, from, top - 12, { colour });
      free = from + width + 12;
    }
  }

  #drawLimit({ samples, x, y, fineness }) {
    const surface = this.#surface;
    for (const run of unbroken(samples.filter((sample) => sample.commandedA !== null), gapS(fineness))) {
      // A limit holds until the next one: level stretches, joined by faint steps.
      let from = run[0];
      run.forEach((sample, n) => {
        const ends = n === run.length - 1;
        if (!ends && sample.commandedA === from.commandedA) return;
        surface.line(x(from.atS), y(from.commandedA), x(sample.atS), y(from.commandedA), surface.colours.commanded, { width: 1.75, dash: [7, 4] });
        surface.context.globalAlpha = 0.3;
        surface.line(x(sample.atS), y(from.commandedA), x(sample.atS), y(sample.commandedA), surface.colours.commanded);
        surface.context.globalAlpha = 1;
        from = sample;
      });
    }
  }

  #drawCurrent({ samples, x, y, fineness }) {
    const surface = this.#surface;
    const { context, colours } = surface;
    for (const run of unbroken(samples, gapS(fineness))) {
      context.fillStyle = colours.current;
      context.globalAlpha = 0.2;
      context.beginPath();
      for (const { atS, currentA, maxA } of run) context.lineTo(x(atS), y(maxA ?? currentA));
      for (const { atS, currentA, minA } of run.toReversed()) context.lineTo(x(atS), y(fineness === "reading" ? 0 : (minA ?? currentA)));
      context.fill();
      context.globalAlpha = 1;
      context.strokeStyle = colours.current;
      context.lineWidth = 2;
      context.beginPath();
      for (const { atS, currentA } of run) context.lineTo(x(atS), y(currentA));
      context.stroke();
      if (run.length === 1 || samples.length < 200) for (const { atS, currentA } of run) surface.dot(x(atS), y(currentA), 1.8, colours.current);
    }
  }
}

/** The waveform fills the plot: a limit far above it is out of sight, and read by its value. */
function currentTicks(samples, height) {
  let [low, high] = [0, LEAST_RANGE_A];
  for (const { currentA, minA, maxA } of samples) {
    low = Math.min(low, currentA, minA ?? currentA);
    high = Math.max(high, currentA, maxA ?? currentA);
  }
  const near = samples.map(({ commandedA }) => commandedA ?? 0).filter((limitA) => limitA <= LIMIT_SHARE * high);
  high = Math.max(high, ...near);
  return niceTicks(floorOf(low, high) * HEADROOM, high * HEADROOM, height < 220 ? 4 : 6);
}

function clock(atS, stepS) {
  const format = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(stepS < 60 && { second: "2-digit" }) };
  if (stepS >= 86400) return new Date(atS * 1000).toLocaleDateString([], { month: "short", day: "numeric" });
  return new Date(atS * 1000).toLocaleTimeString([], format);
}
