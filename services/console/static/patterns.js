// Which pattern an anomaly matches: how often it was seen before. Asked once for each anomaly that is in sight.

import { ordinal } from "./recurrence.js";
import { instant } from "./words.js";

const ASKED_AHEAD = 10;
const KEPT = 300;

export class Patterns {
  #known = new Map();
  #asking = false;

  constructor({ model, ask }) {
    Object.assign(this, { model, question: ask });
  }

  /** Return what the memory says of an anomaly's pattern, in words; "" while it is not known or new. */
  wordsOn(anomaly) {
    const pattern = this.#known.get(anomaly.id)?.pattern;
    if (!pattern || pattern.count <= 1) return "";
    return `${ordinal(pattern.count)} time, first seen ${instant(new Date(pattern.first_seen_at))}`;
  }

  /** Ask for the patterns of the newest of these anomalies, one after the other. */
  async ask(anomalies) {
    if (this.#asking || !this.model.works("memorybank")) return;
    this.#asking = true;
    for (const anomaly of anomalies.slice(0, ASKED_AHEAD)) {
      // Of an open one the pattern may be known later only.
      const known = this.#known.get(anomaly.id);
      if (known && (known.updatedS === anomaly.updatedS || known.pattern)) continue;
      try {
        const { pattern } = await this.question("GET", `/api/anomalies/${encodeURIComponent(anomaly.id)}/pattern`);
        this.#keep(anomaly.id, { pattern, updatedS: anomaly.updatedS });
        this.model.changed.anomalies = true;
      } catch {
        this.#keep(anomaly.id, { pattern: null, updatedS: anomaly.updatedS });
      }
    }
    this.#asking = false;
    if (this.model.changed.anomalies) this.model.onChange();
  }

  #keep(id, pattern) {
    this.#known.set(id, pattern);
    if (this.#known.size > KEPT) this.#known.delete(this.#known.keys().next().value);
  }
}
