// How runs of scenarios, their parameters and their charge points are said.

import { idText, meaning, toHex } from "./can-frames.js";
import { element } from "./dom.js";
import { addressOf } from "./router.js";
import { number, sentence } from "./words.js";

const UNITS = { a: "A", s: "s", v: "V", w: "W", wh: "Wh", c: "\u00B0C", hz: "Hz", percent: "%" };
const SHARES = ["duty", "ratio", "share"];

/** Return [word, unit] of a name that carries its unit: `amplitude_a` is the amplitude in A. */
export function quantity(name) {
  const [, stem, suffix] = /^(.*?)(?:_([a-z]+))?$/.exec(name);
  const unit = suffix && UNITS[suffix];
  return [sentence(unit ? stem : name), unit ?? ""];
}

/** Return a value with the unit that its name carries. */
export function quantityText(name, value) {
  if (SHARES.includes(name)) return `${number(value * 100, 0)} %`;
  const [, unit] = quantity(name);
  return `${plain(value)}${unit && ` ${unit}`}`;
}

/** A number without zeros that say nothing. */
export function plain(value) {
  return number(value, Number.isInteger(value) ? 0 : Math.abs(value) < 10 ? 2 : 1).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

/** Return parameters in words: those of a known scenario with its units, a frame sent by hand as what it was. */
export function parametersText(parameters, scenario) {
  if (parameters && "can_id" in parameters) return frameText(parameters);
  return Object.entries(parameters ?? {})
    .map(([name, value]) => {
      const unit = scenario?.parameters?.[name]?.unit;
      return `${quantity(name)[0].toLowerCase()} ${unit === undefined ? quantityText(name, value) : `${plain(value)} ${unit}`.trim()}`;
    })
    .join(", ");
}

function frameText({ can_id: id, ...parameters }) {
  const count = Object.keys(parameters).filter((name) => name.startsWith("byte_")).length;
  const bytes = Array.from({ length: count }, (_, n) => parameters[`byte_${n}`]);
  return `${idText(id)} [${count}] ${toHex(bytes)} (${meaning(id, bytes)})`.replace("  ", " ");
}

/** Return links to charge points, at most `most` of them, and how many more there are. */
export function chargePointLinks(chargePointIds, most = 6) {
  const links = chargePointIds.slice(0, most).flatMap((id, n) => [
    ...(n ? [", "] : []),
    element("a", { href: addressOf({ view: "charge-point", chargePointId: id }), text: id }),
  ]);
  const more = chargePointIds.length - most;
  return more > 0 ? [...links, ` and ${more} more`] : links;
}
