// What the page knows: the console's picture of the bench, kept up to date by the stream.

export const keyOf = (chargePointId, connector) => JSON.stringify([chargePointId, connector]);

const KEEP_ANOMALIES = 500;

export class Model {
  #order = null;

  /** Called when something was learned outside of the stream. */
  onLearn = () => {};

  constructor() {
    this.spanS = 60;
    this.reset();
  }

  reset() {
    this.connectors = new Map();
    this.#order = null;
    this.anomalies = new Map();
    this.services = {};
    this.scenarios = null;
    this.runs = null;
    this.changeAll();
  }

  /** Have everything shown anew. */
  changeAll() {
    this.changed = { keys: new Set(), fleet: true, anomalies: true, services: true, scenarios: true };
  }

  /** Take a message of the stream; a snapshot replaces everything. */
  apply(kind, message) {
    if (kind === "snapshot") this.reset();
    if (message.span_s) this.spanS = message.span_s;
    for (const view of message.connectors ?? []) this.#takeConnector(view, message.now_s);
    for (const [chargePointId, connector] of message.gone ?? []) {
      this.connectors.delete(keyOf(chargePointId, connector));
      this.#order = null;
      this.changed.fleet = true;
    }
    for (const anomaly of message.anomalies ?? []) this.learn(anomaly);
    if (message.services) {
      Object.assign(this.services, message.services);
      this.changed.services = true;
    }
    if (message.scenarios) this.scenarios = message.scenarios;
    if (message.scenario_runs) this.runs = message.scenario_runs;
    if (message.scenarios || message.scenario_runs) this.changed.scenarios = true;
  }

  #takeConnector(view, nowS) {
    const key = keyOf(view.charge_point_id, view.connector);
    const known = this.connectors.get(key);
    const samples = known?.samples ?? [];
    for (const [atS, currentA, offeredA] of view.samples) insert(samples, { atS, currentA, offeredA });
    const first = samples.findIndex((sample) => sample.atS > nowS - this.spanS - 2);
    if (first !== 0) samples.splice(0, first < 0 ? samples.length : first);
    this.connectors.set(key, { ...view, key, samples });
    this.changed.keys.add(key);
    if (!known) {
      this.#order = null;
      this.changed.fleet = true;
    }
    if (JSON.stringify(known?.csms) !== JSON.stringify(view.csms)) this.changed.scenarios = true;
  }

  /** Take an anomaly, from the stream or from the past; the latest word on it stays. */
  learn(word) {
    const anomaly = {
      ...word,
      open: word.phase !== "closed",
      startedS: seconds(word.started_at),
      detectedS: seconds(word.detected_at),
      updatedS: seconds(word.updated_at),
      endedS: word.ended_at ? seconds(word.ended_at) : null,
    };
    const known = this.anomalies.get(anomaly.id);
    if (known && (known.updatedS > anomaly.updatedS || (known.updatedS === anomaly.updatedS && !known.open))) return;
    this.anomalies.delete(anomaly.id);
    this.anomalies.set(anomaly.id, anomaly);
    if (this.anomalies.size > KEEP_ANOMALIES) this.anomalies.delete(this.anomalies.keys().next().value);
    this.changed.anomalies = true;
  }

  /** Return a connector's anomalies, newest first; those of connector 0 are the whole station's. */
  anomaliesOf(view) {
    return [...this.anomalies.values()].filter((anomaly) => concerns(anomaly, view)).sort((a, b) => b.startedS - a.startedS);
  }

  /** Return the open anomalies by connector's key. */
  openAnomalies() {
    const open = new Map();
    for (const anomaly of this.anomalies.values()) {
      if (!anomaly.open) continue;
      for (const view of this.connectors.values()) {
        if (concerns(anomaly, view)) open.set(view.key, [...(open.get(view.key) ?? []), anomaly]);
      }
    }
    return open;
  }

  /** Return the connectors' keys in the order in which people count. */
  keysInOrder() {
    const collator = new Intl.Collator(undefined, { numeric: true });
    this.#order ??= [...this.connectors.values()]
      .sort((a, b) => collator.compare(a.charge_point_id, b.charge_point_id) || a.connector - b.connector)
      .map((view) => view.key);
    return this.#order;
  }

  /** Return a charge point's connector; without a number its first; without a name the first of all. */
  find(chargePointId, connector) {
    if (chargePointId !== undefined && connector) return this.connectors.get(keyOf(chargePointId, connector));
    const keys = this.keysInOrder();
    const key = keys.find((one) => chargePointId === undefined || this.connectors.get(one).charge_point_id === chargePointId);
    return this.connectors.get(key);
  }

  /** Return a connector's name: its charge point, and its number where that is not the only one. */
  nameOf({ charge_point_id: chargePointId, connector }) {
    const others = [1, 2, 3, 4].some((n) => n !== connector && this.connectors.has(keyOf(chargePointId, n)));
    return others ? `${chargePointId} \u00B7 ${connector}` : chargePointId;
  }

  /** Return the charge points that the CSMS knows, each once, in order. */
  chargePoints() {
    const known = new Map();
    for (const key of this.keysInOrder()) {
      const { charge_point_id: id, csms } = this.connectors.get(key);
      if (csms && !known.has(id)) known.set(id, csms);
    }
    return known;
  }

  works(service) {
    return this.services[service]?.working === true;
  }

  /** Return what changed since the last call. */
  takeChanges() {
    const changed = this.changed;
    this.changed = { keys: new Set(), fleet: false, anomalies: false, services: false, scenarios: false };
    return changed;
  }
}

function insert(samples, sample) {
  let at = samples.length;
  while (at > 0 && samples[at - 1].atS > sample.atS) at -= 1;
  samples.splice(at, 0, sample);
}

function concerns(anomaly, view) {
  return anomaly.charge_point_id === view.charge_point_id && [0, view.connector].includes(anomaly.connector);
}

function seconds(instant) {
  return Date.parse(instant) / 1000;
}
