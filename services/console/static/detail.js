// Everything of the one connector that is looked at, as the stream's details tell it.

import { insert, trim } from "./in-time.js";
import { keyOf } from "./model.js";

const KEEP_SAMPLES = 1500;
const timeOf = ({ atS }) => atS;

export class Detail {
  #of = null;

  /** The latest word, or null before the first; see the server's Detail. */
  latest = null;
  /** {atS, currentA, offeredA, busLimitA, commandedA, voltageV, powerW, temperatureC}, oldest first. */
  samples = [];

  /** Look at a connector: what is known of another one is forgotten. */
  follow(chargePointId, connector) {
    const of = keyOf(chargePointId, connector);
    if (of === this.#of) return;
    this.#of = of;
    this.latest = null;
    this.samples = [];
  }

  /** Take a detail; one of another connector was on its way still. */
  take(message, spanS) {
    if (keyOf(message.charge_point_id, message.connector) !== this.#of) return;
    this.latest = message;
    if (message.whole) this.samples = [];
    // The server's clock was set back: what it now calls the future goes, as it went there.
    while (this.samples.at(-1)?.atS > message.now_s) this.samples.pop();
    for (const values of message.samples) insert(this.samples, sampleOf(values), timeOf);
    trim(this.samples, timeOf, message.now_s - spanS - 5, KEEP_SAMPLES);
  }
}

function sampleOf([atS, currentA, offeredA, busLimitA, commandedA, voltageV, powerW, temperatureC]) {
  return { atS, currentA, offeredA, busLimitA, commandedA, voltageV, powerW, temperatureC };
}
