// An anomaly's page: what was seen, how sure the detector is, what truly ran, and when it was like this before.

import { AROUND_S, AnomalyParts } from "./anomaly-parts.js";
import { Evidence } from "./evidence.js";
import { Exports } from "./exports.js";
import { STALE_S, isOfFleet, placeName, sentence } from "./words.js";

const AGAIN_MS = 10_000;
const RETRY_MS = 3000;
const MOST_RETRY_MS = 60_000;
const MOST_LIVE = 600;
const LIVE_TAIL_S = 5;

export class AnomalyView {
  #id = null;
  #known = null;
  #detail = null;
  #live = [];
  #trouble = "";
  #retryMs = RETRY_MS;
  #timer = 0;
  #asked = null;
  #listeners = [];
  #evidence = new Evidence();
  #exports;
  #parts;

  constructor(root, context) {
    Object.assign(this, { root, context });
    this.#exports = new Exports({
      stretches: [{ label: "Two minutes before to two after", between: (nowS) => this.#stretch(nowS) }],
      subject: () => this.#known && !isOfFleet(this.#known) && { chargePointId: this.#known.charge_point_id, connector: this.#known.connector || 1 },
      nowS: () => context.stream.nowS(),
      picture: () => this.#evidence.save(`anomaly-${this.#id}.png`),
    });
    this.#parts = new AnomalyParts(root, this.#evidence.root, this.#exports.root);
  }

  get title() {
    return this.#known ? `${sentence(this.#known.kind)}: ${placeName(this.#known.charge_point_id)}` : "Anomaly";
  }

  show({ anomalyId }) {
    this.hide();
    if (anomalyId !== this.#id) [this.#known, this.#detail, this.#live, this.#trouble] = [null, null, [], ""];
    this.#id = anomalyId;
    this.#retryMs = RETRY_MS;
    const { stream } = this.context;
    this.#listeners = [
      stream.on("detail", (detail) => this.#take(detail)),
      // The stream came back: what was missed is asked for.
      stream.on("connected", (connected) => connected && this.#ask()),
    ];
    this.#ask();
  }

  hide() {
    for (const off of this.#listeners) off();
    this.#listeners = [];
    clearTimeout(this.#timer);
    this.#asked = null;
  }

  render(changed) {
    const { model, stream } = this.context;
    const before = this.#known;
    this.#known = model.anomalies.get(this.#id) ?? this.#known;
    if (before?.open && !this.#known.open) this.#ask();
    if (changed.services && this.#trouble && model.works("memorybank")) this.#ask();
    const nowS = stream.nowS();
    this.#parts.render({ anomaly: this.#known, detail: this.#detail, trouble: this.#trouble, scenarios: model.scenarios, nowS });
    if (!this.#known) return;
    this.#evidence.show(this.#known, this.#withLive(), nowS);
    this.#exports.render(model.works("memorybank"));
  }

  /** Ask for everything that is known of the anomaly; while it is open, again and again. */
  async #ask() {
    clearTimeout(this.#timer);
    const { ask, model, stream } = this.context;
    const asked = (this.#asked = Symbol(this.#id));
    let [detail, trouble] = [null, ""];
    try {
      detail = await ask("GET", `/api/anomalies/${encodeURIComponent(this.#id)}`);
    } catch (error) {
      trouble = error.message;
    }
    if (asked !== this.#asked) return;
    this.#trouble = trouble;
    if (detail) {
      this.#detail = detail;
      model.learn(detail.anomaly);
      this.#known = model.anomalies.get(this.#id);
      const { charge_point_id: chargePointId, connector } = this.#known;
      if (this.#known.open && !isOfFleet(this.#known)) stream.follow({ chargePointId, connector: connector || 1 });
    }
    this.#retryMs = trouble ? Math.min(MOST_RETRY_MS, this.#retryMs * 2) : RETRY_MS;
    if (trouble || this.#known.open || !detail.truth.known) {
      this.#timer = setTimeout(() => this.#ask(), trouble ? this.#retryMs : AGAIN_MS);
    }
    model.onChange();
  }

  #take({ charge_point_id: chargePointId, samples }) {
    if (!this.#known?.open || chargePointId !== this.#known.charge_point_id) return;
    const newest = this.#live.at(-1)?.[0] ?? -Infinity;
    for (const [atS, currentA, , , commandedA] of samples) {
      if (atS > newest) this.#live.push([atS, currentA, currentA, currentA, commandedA ?? null]);
    }
    this.#live.splice(0, Math.max(0, this.#live.length - MOST_LIVE));
  }

  /** The remembered readings, and where they reach it, what the stream brought since. */
  #withLive() {
    const evidence = this.#detail?.evidence;
    if (!evidence || !this.#known.open || evidence.fineness !== "reading") return evidence;
    const last = evidence.samples.at(-1)?.[0] ?? evidence.until_s;
    const since = this.#live.filter(([atS]) => atS > last);
    // The stream brings the last minute only: what the memory lacks before that would be a gap.
    if (!since.length || since[0][0] - last > STALE_S) return evidence;
    return { ...evidence, samples: [...evidence.samples, ...since], until_s: Math.max(evidence.until_s, since.at(-1)[0] + LIVE_TAIL_S) };
  }

  #stretch(nowS) {
    return { sinceS: this.#known.startedS - AROUND_S, untilS: (this.#known.open ? nowS : this.#known.endedS) + AROUND_S };
  }
}
