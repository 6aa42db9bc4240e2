// The instrument's drawings: the current, the status lane, the small ones; they move with time and are read together.

import { byId, setText } from "./dom.js";
import { Lane } from "./lane.js";
import { Plot } from "./plot.js";
import { nearest } from "./scale.js";
import { STALE_S, amperes, duration, number, secondsAgo } from "./words.js";

const BUS_NOTICES = {
  none: "No CAN bus heard for this connector",
  lost: "The charge point no longer announces this bus",
  silent: "No reading on this bus",
};

const CURRENT = {
  unit: "A",
  fromZero: true,
  leastRange: 10,
  lines: [
    { value: (sample) => sample.currentA, colour: "current" },
    { value: (sample) => sample.offeredA, colour: "offered", width: 1.5 },
    // The two are told apart where they lie on each other: the dashes of one fill the gaps of the other.
    { value: (sample) => sample.busLimitA, colour: "on-bus", dash: [6, 10], width: 2.25 },
    { value: (sample) => sample.commandedA, colour: "commanded", dash: [6, 10], dashOffset: 8, width: 2.25 },
  ],
};

const SMALL = {
  voltage: { unit: "V", leastRange: 20, digits: 1, value: (sample) => sample.voltageV },
  power: { unit: "kW", leastRange: 1, digits: 1, fromZero: true, value: (sample) => thousandth(sample.powerW) },
  temperature: { unit: "\u00B0C", leastRange: 8, digits: 1, value: (sample) => sample.temperatureC },
};

const FRAME_MS = 30;
const SMALL_MS = 100;

export class Graph {
  #frame = byId("graph");
  #plot = new Plot(byId("canvas"), CURRENT);
  #lane = new Lane(byId("lane"));
  #small = Object.entries(SMALL).map(([name, quantity]) => ({
    ...quantity,
    figure: byId(name),
    plot: new Plot(byId(`${name}-canvas`), { ...quantity, small: true, lines: [{ value: quantity.value, colour: "current" }] }),
  }));
  #stillness = matchMedia("(prefers-reduced-motion: reduce)");
  #pointerX = null;
  #pinned = null;
  #drawnAt = 0;
  #smallDrawnAt = 0;
  #request = 0;

  /** `current()` returns what to draw: {detail, anomalies, spanS, nowS}. */
  constructor(current) {
    this.current = current;
    this.#frame.addEventListener("pointermove", (event) => {
      this.#pointerX = event.clientX - this.#frame.getBoundingClientRect().left;
      this.#pinned = null;
    });
    this.#frame.addEventListener("pointerleave", () => (this.#pointerX = null));
    this.#frame.addEventListener("keydown", (event) => this.#onKey(event));
    this.#frame.addEventListener("blur", () => (this.#pinned = null));
  }

  /** Move with time, until stopped; where a person read before is forgotten. */
  start() {
    this.#pinned = null;
    cancelAnimationFrame(this.#request);
    const step = (time) => {
      // The graph moves by a dozen pixels a second: half the frames are enough. Who asked for reduced motion sees it
      // move once a second.
      if (time - this.#drawnAt >= (this.#stillness.matches ? 1000 : FRAME_MS)) {
        this.#drawnAt = time;
        this.#draw(time);
      }
      this.#request = requestAnimationFrame(step);
    };
    this.#request = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.#request);
  }

  #onKey(event) {
    const { detail, nowS, spanS } = this.current();
    const samples = detail.samples.filter((sample) => sample.atS > nowS - spanS);
    const last = samples.length - 1;
    const at = this.#pinned ? nearest(samples, this.#pinned.atS) : last + 1;
    const target = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last, PageUp: at - 10, PageDown: at + 10 }[event.key];
    if (event.key === "Escape") this.#pinned = null;
    if (target === undefined || last < 0) return;
    event.preventDefault();
    this.#pinned = samples[Math.max(0, Math.min(last, target))];
    this.#frame.setAttribute("aria-valuenow", String(Math.round(this.#pinned.atS - nowS)));
    this.#frame.setAttribute("aria-valuetext", readout(this.#pinned, nowS));
  }

  #cursor(samples, nowS, spanS) {
    if (this.#pinned) return this.#pinned;
    if (this.#pointerX === null) return null;
    return samples[nearest(samples, nowS - this.#plot.agoAt(this.#pointerX, spanS))] ?? null;
  }

  #draw(time) {
    const { detail, anomalies, spanS, nowS } = this.current();
    const { samples, latest } = detail;
    const newest = samples[samples.length - 1];
    if (this.#pinned && this.#pinned.atS < nowS - spanS) this.#pinned = null;
    const cursor = this.#cursor(samples, nowS, spanS);
    this.#plot.draw({ samples, anomalies, spanS, nowS, cursor, notice: notice(latest, newest, nowS) });
    setText(byId("readout"), cursor ? readout(cursor, nowS) : "");
    // For tests and tools: which sample is on screen.
    if (newest && this.#frame.dataset.newestAt !== String(newest.atS)) this.#frame.dataset.newestAt = String(newest.atS);
    if (time - this.#smallDrawnAt < SMALL_MS && !cursor) return;
    this.#smallDrawnAt = time;
    this.#lane.draw({ statuses: latest?.statuses ?? [], spanS, nowS });
    for (const { plot } of this.#small) plot.draw({ samples, anomalies, spanS, nowS, cursor });
  }

  /** Show in words what the drawings show. */
  say({ latest, samples }) {
    this.#lane.say({ statuses: latest?.statuses ?? [], nowS: latest?.now_s });
    const newest = samples[samples.length - 1];
    for (const { figure, value, digits, unit } of this.#small) {
      const present = newest && !latest.statistics.stale ? value(newest) : null;
      setText(figure, present === null ? "\u2013" : `${number(present, digits)} ${unit}`);
    }
  }
}

function notice(latest, newest, nowS) {
  if (!latest) return "";
  const silentS = newest ? nowS - newest.atS : null;
  if (silentS !== null && silentS <= STALE_S) return "";
  const reason = BUS_NOTICES[latest.bus] ?? "No reading";
  return silentS === null ? reason : `${reason}, for ${duration(silentS)}`;
}

/** Return what a read-out says of a sample. */
function readout(sample, nowS) {
  const named = [
    ["offered", sample.offeredA],
    ["on the bus", sample.busLimitA],
    ["commanded", sample.commandedA],
  ];
  const limits = named.filter(([, value]) => value !== null).map(([name, value]) => `${name} ${amperes(value)}`);
  return [secondsAgo(Math.max(0, nowS - sample.atS)), amperes(sample.currentA), ...limits].join(" \u00B7 ");
}

function thousandth(value) {
  return value === null ? null : value / 1000;
}
