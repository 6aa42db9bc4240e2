// What the page knows of the fleet: the console's picture of the bench, kept up to date by the stream.

import { trim } from "./in-time.js";
import { SEVERITIES } from "./status.js";

/** A connector's key, whoever asks for it. */
export const keyOf = (chargePointId, connector) => JSON.stringify([chargePointId, connector]);

const KEEP_ANOMALIES = 500;
const KEEP_SAMPLES = 90;

export class Model {
  #order = null;
  #keysOf = new Map();
  #open = null;

  /** Called when something is to be shown that the stream did not bring. */
  onChange = () => {};

  constructor() {
    this.spanS = 60;
    this.reset();
  }

  reset() {
    this.connectors = new Map();
    this.#keysOf.clear();
    this.#order = this.#open = null;
    this.anomalies = new Map();
    this.services = {};
    this.scenarios = null;
    this.mixes = null;
    this.mixRuns = null;
    this.runs = null;
    this.changeAll();
  }

  /** Have everything shown anew. */
  changeAll() {
    this.changed = { keys: new Set(), fleet: true, anomalies: true, services: true, scenarios: true };
    this.onChange();
  }

  /** Take a message of the stream; a snapshot replaces everything. */
  apply(kind, message) {
    if (kind === "snapshot") this.reset();
    if (message.span_s) this.spanS = message.span_s;
    for (const row of message.connectors ?? []) this.#takeRow(row, message.now_s);
    for (const [chargePointId, connector] of message.gone ?? []) this.#forget(chargePointId, connector);
    for (const anomaly of message.anomalies ?? []) this.learn(anomaly);
    if (message.services) {
      Object.assign(this.services, message.services);
      this.changed.services = true;
    }
    if (message.scenarios) this.scenarios = message.scenarios;
    if (message.scenario_runs) this.runs = message.scenario_runs;
    if (message.mixes) this.mixes = message.mixes;
    if (message.mix_runs) this.mixRuns = message.mix_runs;
    if (message.scenarios || message.scenario_runs || message.mixes || message.mix_runs) this.changed.scenarios = true;
    this.onChange();
  }

  #takeRow(row, nowS) {
    const key = keyOf(row.charge_point_id, row.connector);
    const known = this.connectors.get(key);
    this.changed.keys.add(key);
    if (!known) {
      this.connectors.set(key, { ...row, key });
      this.#keysOf.set(row.charge_point_id, [...(this.#keysOf.get(row.charge_point_id) ?? []), key]);
      this.#order = this.#open = null;
      this.changed.fleet = this.changed.scenarios = true;
      return;
    }
    const { samples, csms } = known;
    // The server's clock was set back: what it now calls the future goes, as it went there.
    while (samples.at(-1)?.[0] > nowS) samples.pop();
    samples.push(...row.samples);
    trim(samples, ([atS]) => atS, nowS - this.spanS, KEEP_SAMPLES);
    // In place: a thousand rows change every second.
    Object.assign(known, row, { samples });
    if (JSON.stringify(csms) !== JSON.stringify(row.csms)) this.changed.scenarios = true;
  }

  #forget(chargePointId, connector) {
    const key = keyOf(chargePointId, connector);
    this.connectors.delete(key);
    const left = (this.#keysOf.get(chargePointId) ?? []).filter((one) => one !== key);
    if (left.length) this.#keysOf.set(chargePointId, left);
    else this.#keysOf.delete(chargePointId);
    this.#order = this.#open = null;
    this.changed.fleet = true;
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
    if (this.anomalies.size > KEEP_ANOMALIES) this.anomalies.delete(this.#least());
    this.#open = null;
    this.changed.anomalies = true;
    this.onChange();
  }

  /** Return which anomaly is missed least: one that is over, else the one heard of first. */
  #least() {
    for (const anomaly of this.anomalies.values()) if (!anomaly.open) return anomaly.id;
    return this.anomalies.keys().next().value;
  }

  /** Return all anomalies: the open ones, then those that are over, the newest first. */
  allAnomalies() {
    return [...this.anomalies.values()].sort((a, b) => b.open - a.open || b.startedS - a.startedS);
  }

  /** Return a connector's anomalies, newest first; those of connector 0 are the whole station's. */
  anomaliesOf(row) {
    return [...this.anomalies.values()].filter((anomaly) => concerns(anomaly, row)).sort((a, b) => b.startedS - a.startedS);
  }

  /** Return the open anomalies of a connector by its key, the gravest first. */
  openOf(key) {
    this.#open ??= this.#openByKey();
    return this.#open.get(key) ?? [];
  }

  #openByKey() {
    const open = new Map();
    for (const anomaly of this.anomalies.values()) {
      if (!anomaly.open) continue;
      const { charge_point_id: id, connector } = anomaly;
      for (const key of connector === 0 ? (this.#keysOf.get(id) ?? []) : [keyOf(id, connector)]) {
        open.set(key, [...(open.get(key) ?? []), anomaly].sort((a, b) => gravity(b) - gravity(a)));
      }
    }
    return open;
  }

  /** Return the connectors' keys in the order in which people count. */
  keysInOrder() {
    const collator = new Intl.Collator(undefined, { numeric: true });
    this.#order ??= [...this.connectors.values()]
      .sort((a, b) => collator.compare(a.charge_point_id, b.charge_point_id) || a.connector - b.connector)
      .map((row) => row.key);
    return this.#order;
  }

  /** Return a charge point's connectors, in order. */
  connectorsOf(chargePointId) {
    const rows = (this.#keysOf.get(chargePointId) ?? []).map((key) => this.connectors.get(key));
    return rows.sort((a, b) => a.connector - b.connector);
  }

  /** Return a charge point's connector; without a number its first; without a name the first of all. */
  find(chargePointId, connector) {
    if (chargePointId === undefined) return this.connectors.get(this.keysInOrder()[0]);
    if (connector) return this.connectors.get(keyOf(chargePointId, connector));
    return this.connectorsOf(chargePointId)[0];
  }

  /** Return a connector's name: its charge point, and its number where that is not the only one. */
  nameOf({ charge_point_id: chargePointId, connector }) {
    return (this.#keysOf.get(chargePointId)?.length ?? 0) > 1 ? `${chargePointId} \u00B7 ${connector}` : chargePointId;
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

  /** Return a scenario, undefined where none is called so. */
  scenario(name) {
    return this.scenarios?.find((scenario) => scenario.name === name);
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

function concerns(anomaly, row) {
  return anomaly.charge_point_id === row.charge_point_id && [0, row.connector].includes(anomaly.connector);
}

function gravity({ severity, startedS }) {
  return SEVERITIES.indexOf(severity) * 1e12 + startedS;
}

function seconds(instant) {
  return Date.parse(instant) / 1000;
}
