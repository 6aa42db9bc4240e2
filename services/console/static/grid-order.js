// Which rows of the grid are shown, and in which order. Nothing here touches the page.

import { SEVERITIES, statusOf } from "./status.js";
import { STALE_S, anomalyWord } from "./words.js";

const CHARGING_A = 0.5;
const collator = new Intl.Collator(undefined, { numeric: true });

/** What each filter lets through. */
export const FILTERS = {
  all: () => true,
  charging: (row) => isCharging(row),
  anomaly: (row, model) => model.openOf(row.key).length > 0,
  offline: (row) => isOffline(row),
};

/** What each column is sorted by; greater is further down. */
const KEYS = {
  identity: () => 0,
  status: (row, model) => statusOf(row, model),
  current: (row) => number(row.stale ? null : row.present_a),
  power: (row) => number(row.stale ? null : row.power_w),
  anomaly: (row, model) => {
    const [gravest] = model.openOf(row.key);
    return gravest ? SEVERITIES.indexOf(gravest.severity) : -1;
  },
  scenario: (row) => row.csms?.scenario ?? "",
  age: (row, model, nowS) => Math.floor(ageS(row, nowS)),
};

/** Columns whose largest is looked for first. */
export const LARGEST_FIRST = new Set(["current", "power", "anomaly"]);

export function isCharging(row) {
  return !row.stale && row.present_a > CHARGING_A;
}

/** Whether nobody hears it: not the CSMS, and, where that does not know it, no bus either. */
export function isOffline(row) {
  return row.csms ? !row.csms.connected : row.bus !== "live";
}

/** Seconds since the last reading; what sends as it should counts as now, what never did as endless. */
export function ageS(row, nowS) {
  const newest = row.samples[row.samples.length - 1];
  if (!newest) return Infinity;
  const silentS = nowS - newest[0];
  return silentS < STALE_S ? 0 : silentS;
}

/** Return the keys to show, in order; `wish` = {words, filter, column, descending}. */
export function arranged(model, wish, nowS) {
  const words = wish.words.toLowerCase().split(/\s+/).filter(Boolean);
  const lets = FILTERS[wish.filter];
  const found = [];
  // Rows that are alike stay in the order in which people count.
  model.keysInOrder().forEach((key, place) => {
    const row = model.connectors.get(key);
    if (!lets(row, model)) return;
    if (words.length && !words.every((word) => said(row, model).includes(word))) return;
    found.push({ key, place, by: KEYS[wish.column](row, model, nowS) });
  });
  const sign = wish.descending ? -1 : 1;
  const identity = wish.column === "identity";
  found.sort((a, b) => (identity ? sign * (a.place - b.place) : sign * compare(a.by, b.by) || a.place - b.place));
  return found.map(({ key }) => key);
}

/** Return all that a row says, in lower case, for the search. */
function said(row, model) {
  const anomalies = model.openOf(row.key).map((anomaly) => `${anomalyWord(anomaly)} ${anomaly.kind} ${anomaly.severity}`);
  const scenario = row.csms?.scenario ?? "";
  return [row.charge_point_id, statusOf(row, model), scenario, model.scenario(scenario)?.title ?? "", ...anomalies]
    .join(" ")
    .toLowerCase();
}

function compare(a, b) {
  if (typeof a === "string") return collator.compare(a, b);
  return a === b ? 0 : a - b;
}

/** A missing number stands below every other. */
function number(value) {
  return value ?? -Infinity;
}
