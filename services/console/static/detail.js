// Everything of the one connector that is looked at, as the stream's details tell it.

const KEEP_SAMPLES = 1500;

export class Detail {
  #of = null;

  /** The latest word, or null before the first; see the server's Detail. */
  latest = null;
  /** {atS, currentA, offeredA, busLimitA, commandedA, voltageV, powerW, temperatureC}, oldest first. */
  samples = [];

  /** Look at a connector: what is known of another one is forgotten. */
  follow(chargePointId, connector) {
    const of = JSON.stringify([chargePointId, connector]);
    if (of === this.#of) return;
    this.#of = of;
    this.latest = null;
    this.samples = [];
  }

  /** Take a detail; one of another connector was on its way still. */
  take(message, spanS) {
    if (JSON.stringify([message.charge_point_id, message.connector]) !== this.#of) return;
    this.latest = message;
    if (message.whole) this.samples = [];
    for (const values of message.samples) insert(this.samples, sampleOf(values));
    const oldestS = message.now_s - spanS - 5;
    const first = this.samples.findIndex(({ atS }) => atS > oldestS);
    const tooMany = this.samples.length - KEEP_SAMPLES;
    this.samples.splice(0, Math.max(first < 0 ? this.samples.length : first, tooMany, 0));
  }
}

function sampleOf([atS, currentA, offeredA, busLimitA, commandedA, voltageV, powerW, temperatureC]) {
  return { atS, currentA, offeredA, busLimitA, commandedA, voltageV, powerW, temperatureC };
}

function insert(samples, sample) {
  let at = samples.length;
  while (at > 0 && samples[at - 1].atS > sample.atS) at -= 1;
  samples.splice(at, 0, sample);
}
