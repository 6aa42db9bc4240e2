// The evidence of an anomaly as a figure: drawn, explained, and read value by value with pointer or keys.

import { element, setText } from "./dom.js";
import { EvidencePlot } from "./evidence-plot.js";
import { savePicture } from "./picture.js";
import { nearest } from "./scale.js";
import { amperes, instant, isOfFleet, number } from "./words.js";

const FINENESS_WORDS = { reading: "every reading", "10s": "10-second means", "1m": "one-minute means", "1h": "hourly means" };

export class Evidence {
  #canvas = element("canvas");
  #frame = element("div", {
    className: "graph evidence-graph",
    tabindex: "0",
    role: "slider",
    "aria-label": "Current around the anomaly; arrow keys read single values",
    "aria-orientation": "horizontal",
    "aria-valuemin": "0",
    "aria-valuemax": "0",
    "aria-valuenow": "0",
    children: [this.#canvas],
  });
  #readout = element("output", { className: "readout" });
  #band = element("span", { className: "key key-band", text: "Least to most" });
  #fineness = element("span", { className: "fineness" });
  #plot = new EvidencePlot(this.#canvas);
  #picture = null;
  #pinned = null;

  root = element("figure", {
    className: "evidence",
    children: [
      this.#frame,
      element("div", {
        className: "legend",
        children: [
          element("span", { className: "key key-current", text: "Current" }),
          this.#band,
          element("span", { className: "key key-commanded", text: "Commanded by OCPP" }),
          element("span", { className: "key key-anomaly", text: "Anomaly" }),
          this.#fineness,
          this.#readout,
        ],
      }),
    ],
  });

  constructor() {
    this.#frame.addEventListener("pointermove", (event) => {
      if (!this.#picture?.samples.length) return;
      const atS = this.#plot.instantAt(event.clientX - this.#frame.getBoundingClientRect().left);
      this.#point(nearest(this.#picture.samples, atS));
    });
    this.#frame.addEventListener("pointerleave", () => this.#point(-1));
    this.#frame.addEventListener("blur", () => this.#point(-1));
    this.#frame.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Show an anomaly (as of the model) and its evidence (as of the API); `nowS` is where what is open ends. */
  show(anomaly, evidence, nowS) {
    const samples = (evidence?.samples ?? [])
      .map(([atS, currentA, minA, maxA, commandedA]) => ({ atS, currentA, minA, maxA, commandedA }))
      .filter(({ currentA }) => currentA !== null);
    this.#picture = evidence && {
      samples,
      fineness: evidence.fineness,
      sinceS: evidence.since_s,
      untilS: evidence.until_s,
      severity: anomaly.severity,
      startedS: anomaly.startedS,
      detectedS: anomaly.detectedS,
      endedS: anomaly.open ? null : anomaly.endedS,
      openS: anomaly.open ? nowS : null,
    };
    this.root.dataset.severity = anomaly.severity;
    this.#band.hidden = !evidence || evidence.fineness === "reading";
    setText(this.#fineness, evidence ? (samples.length ? (FINENESS_WORDS[evidence.fineness] ?? evidence.fineness) : nothingShown(anomaly)) : "");
    this.#frame.setAttribute("aria-valuemax", String(Math.max(0, samples.length - 1)));
    this.#frame.dataset.samples = String(samples.length);
    this.#draw();
  }

  /** Save what is drawn as a PNG. */
  save(name) {
    return savePicture(this.#canvas, name);
  }

  #onKey(event) {
    const samples = this.#picture?.samples ?? [];
    const last = samples.length - 1;
    const at = this.#pinned === null ? last + 1 : nearest(samples, this.#pinned);
    const target = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last, PageUp: at - 10, PageDown: at + 10 }[event.key];
    if (event.key === "Escape") this.#point(-1);
    if (target === undefined || last < 0) return;
    event.preventDefault();
    this.#point(Math.max(0, Math.min(last, target)));
  }

  #point(index) {
    this.#pinned = this.#picture?.samples[index]?.atS ?? null;
    this.#draw();
  }

  #draw() {
    const index = this.#pinned === null ? -1 : nearest(this.#picture?.samples ?? [], this.#pinned);
    const cursor = this.#picture?.samples[index] ?? null;
    this.#plot.show(this.#picture && { ...this.#picture, cursor });
    const words = cursor ? readout(cursor, this.#picture) : "";
    setText(this.#readout, words);
    this.#frame.setAttribute("aria-valuenow", String(Math.max(0, index)));
    this.#frame.setAttribute("aria-valuetext", words || "No value is read");
  }
}

/** Return what a read-out says of a sample. */
function readout({ atS, currentA, minA, maxA, commandedA }, { startedS, fineness }) {
  const since = atS - startedS;
  return [
    `${instant(new Date(atS * 1000))} (${since < 0 ? "" : "+"}${number(since)} s)`,
    fineness === "reading" || minA === null ? amperes(currentA) : `${amperes(currentA)} (${number(minA)} to ${amperes(maxA)})`,
    commandedA === null ? "" : `limit ${amperes(commandedA)}`,
  ]
    .filter(Boolean)
    .join(" \u00B7 ");
}

function nothingShown(anomaly) {
  return isOfFleet(anomaly)
    ? "It is of all charge points together: no one waveform shows it."
    : "No reading is remembered of this time.";
}
