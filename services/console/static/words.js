// How numbers, instants and names are said.

export const NONE = "–";

/** Amperes with one decimal, a real minus sign and the unit. */
export function amperes(value) {
  return value === null || value === undefined ? NONE : `${number(value)} A`;
}

export function number(value, digits = 1) {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "\u2212");
}

/** `repeated-current-fluctuation` as people write it. */
export function sentence(name) {
  const words = name.replace(/[-_]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
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

export function secondsAgo(seconds) {
  return seconds < 0.05 ? "now" : `${number(seconds)} s ago`;
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}
