// The selected connector's graph: moves with time, and is read by pointer or keys.

import { byId, setText } from "./dom.js";
import { Plot, STALE_S, nearest, readout } from "./plot.js";
import { NONE, amperes, duration } from "./words.js";

const BUS_NOTICES = {
  none: "No CAN bus heard for this connector",
  lost: "The charge point no longer announces this bus",
  silent: "No reading on this bus",
};

export class Graph {
  #frame = byId("graph");
  #plot = new Plot(byId("canvas"));
  #stillness = matchMedia("(prefers-reduced-motion: reduce)");
  #pointerX = null;
  #pinned = null;
  #drawnAt = 0;
  #frameRequest = 0;

  /** `current()` returns what to draw: {view, anomalies, spanS, nowS}; view may be missing. */
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
    cancelAnimationFrame(this.#frameRequest);
    const step = (time) => {
      // Who asked for reduced motion sees the graph move once a second.
      if (!this.#stillness.matches || time - this.#drawnAt >= 1000) {
        this.#drawnAt = time;
        this.#draw();
      }
      this.#frameRequest = requestAnimationFrame(step);
    };
    this.#frameRequest = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.#frameRequest);
  }

  #onKey(event) {
    const { view, nowS, spanS } = this.current();
    const samples = (view?.samples ?? []).filter((sample) => sample.atS > nowS - spanS);
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

  #draw() {
    const { view, anomalies, spanS, nowS } = this.current();
    const samples = view?.samples ?? [];
    const newest = samples[samples.length - 1];
    if (this.#pinned && this.#pinned.atS < nowS - spanS) this.#pinned = null;
    const cursor = this.#cursor(samples, nowS, spanS);
    this.#plot.draw({ samples, anomalies, spanS, nowS, cursor, notice: notice(view, newest, nowS) });
    setText(byId("readout"), cursor ? readout(cursor, nowS) : "");
    // For tests and tools: which sample is on screen.
    if (newest && this.#frame.dataset.newestAt !== String(newest.atS)) this.#frame.dataset.newestAt = String(newest.atS);
  }
}

function notice(view, newest, nowS) {
  if (!view) return "";
  const silentS = newest ? nowS - newest.atS : null;
  if (silentS !== null && silentS <= STALE_S) return "";
  const reason = BUS_NOTICES[view.bus] ?? "No reading";
  return silentS === null ? reason : `${reason}, for ${duration(silentS)}`;
}

/** Show a connector's figures; what is stale is not called present. */
export function showStatistics(view) {
  const { present_a: present, offered_a: offered, min_a: min, max_a: max, mean_a: mean, stale } = view?.statistics ?? {};
  setText(byId("present"), stale ? NONE : amperes(present));
  setText(byId("offered"), stale ? NONE : amperes(offered));
  setText(byId("min"), amperes(min));
  setText(byId("max"), amperes(max));
  setText(byId("mean"), amperes(mean));
}
