// How numbers, instants and names are said.

export const NONE = "–";

/** A module sends each second; three missed readings are silence. The console's server counts alike. */
export const STALE_S = 3.5;

/** Amperes with one decimal, a real minus sign and the unit. */
export function amperes(value) {
  return value === null || value === undefined ? NONE : `${number(value)} A`;
}

/** A count with its thousands apart. */
export function count(value) {
  return value.toLocaleString("en").replaceAll(",", "\u202F");
}

/** Power with three figures or so, in the unit that suits it. */
export function power(watts) {
  if (watts === null || watts === undefined) return NONE;
  if (Math.abs(watts) < 999.5) return `${number(watts, 0)} W`;
  if (Math.abs(watts) < 999_500) return `${number(watts / 1e3)} kW`;
  return `${number(watts / 1e6, 2)} MW`;
}

export function number(value, digits = 1) {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "\u2212");
}

/** `repeated-current-fluctuation` as people write it. */
export function sentence(name) {
  const words = name.replace(/[-_]+/g, " ").trim().replace(/\b(can|ocpp)\b/g, (short) => short.toUpperCase());
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What an anomaly of all charge points together has in the place of an identity. */
const FLEET = "*";

/** Whether an anomaly is of no charge point alone. */
export function isOfFleet({ charge_point_id: chargePointId }) {
  return chargePointId === FLEET;
}

/** A charge point's identity in a sentence, or the fleet. */
export function placeName(chargePointId) {
  return chargePointId === FLEET ? "the fleet" : chargePointId;
}

/** The short word for an anomaly, for badges. */
export function anomalyWord(anomaly) {
  return /fluctuation|reversal/i.test(anomaly.kind) ? "Fluctuation" : sentence(anomaly.kind);
}

/** Time of day, with the date when it is not today's. */
export function instant(date) {
  if (date.toDateString() === new Date().toDateString()) return time(date);
  return `${date.toLocaleDateString([], { month: "short", day: "numeric" })}, ${time(date)}`;
}

function time(date) {
  return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}

/** From one instant to another; the date is said once. */
export function period(from, to) {
  const sameDay = from.toDateString() === to.toDateString();
  return `${instant(from)} \u2013 ${sameDay ? time(to) : instant(to)}`;
}

export function duration(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A duration in one unit, for narrow columns. */
export function secondsOrMinutes(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

export function secondsAgo(seconds) {
  return seconds < 0.05 ? "now" : `${number(seconds)} s ago`;
}

export function plural(n, one, many = `${one}s`) {
  return `${count(n)} ${n === 1 ? one : many}`;
}
