// The limit at its four stations: commanded by OCPP, acknowledged, on the bus, offered by the module.

import { amperes } from "./words.js";

const SAME_A = 0.5; // the bus says whole amperes

/** Return what the four say together: {agree, text}; a station that is not known is passed over. */
export function agreement({ commanded_a: commanded, acknowledged_a: acknowledged, bus_limit_a: bus, offered_a: offered }) {
  const ordered = [
    ["commanded", commanded],
    ["acknowledged", acknowledged],
    ["on the bus", bus],
  ].filter(([, value]) => value !== null && value !== undefined);
  for (let n = 1; n < ordered.length; n += 1) {
    const [[before, wanted], [name, value]] = [ordered[n - 1], ordered[n]];
    if (!same(wanted, value)) {
      return { agree: false, text: `${amperes(value)} ${name}, but ${amperes(wanted)} ${before}` };
    }
  }
  if (!ordered.length) return { agree: true, text: "No limit is known." };
  const [name, limit] = ordered[ordered.length - 1];
  if (offered > limit && !same(offered, limit)) {
    return { agree: false, text: `The module offers ${amperes(offered)}, more than the ${amperes(limit)} ${name}` };
  }
  if (offered !== null && offered !== undefined && !same(offered, limit)) {
    return { agree: true, text: `The module offers less than the limit` };
  }
  return { agree: true, text: "All agree" };
}

function same(a, b) {
  return Math.abs(a - b) <= SAME_A;
}
