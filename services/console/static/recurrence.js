// What the memory recalls of an anomaly: the pattern that it matches, and the earlier ones like it.

import { element, icon } from "./dom.js";
import { iconOf } from "./status.js";
import { addressOf } from "./router.js";
import { quantity, quantityText } from "./run-words.js";
import { NONE, duration, instant, number, placeName, sentence } from "./words.js";

/** Return the signature of an anomaly beside that of its pattern, as rows of a table. */
export function signature(anomaly, pattern) {
  const learned = pattern?.signature ?? {};
  // The stream and the memory tell names in orders of their own: rows must not change places.
  const names = Object.keys({ ...anomaly.pattern, ...learned }).sort();
  if (names.length === 0) return [element("p", { className: "empty", text: "This anomaly has no signature." })];
  const cell = (values, name) => element("td", { text: name in values ? quantityText(name, values[name]) : NONE });
  return [
    element("table", {
      className: "signature",
      children: [
        element("thead", {
          children: [
            element("tr", { children: ["Signature", "This one", "Pattern"].map((text) => element("th", { scope: "col", text })) }),
          ],
        }),
        element("tbody", {
          children: names.map((name) =>
            element("tr", {
              children: [element("th", { scope: "row", text: quantity(name)[0] }), cell(anomaly.pattern, name), cell(learned, name)],
            }),
          ),
        }),
      ],
    }),
  ];
}

/** Return the sentence that says how often the pattern was seen. */
export function recollection(anomaly, pattern, earlier) {
  if (!pattern) return "No pattern is known that this one matches.";
  const where = placeName(pattern.charge_point_id);
  if (pattern.count <= 1) return `The first of its kind on ${where}.`;
  const newest = Math.max(...earlier.map((other) => Date.parse(other.started_at) / 1000), -Infinity);
  const times = newest <= anomaly.startedS ? `${ordinal(pattern.count)} time` : `Seen ${pattern.count} times`;
  return `${times} on ${where}, first seen ${instant(new Date(pattern.first_seen_at))}.`;
}

/** Return a line for each of the earlier ones. */
export function earlierOnes(earlier) {
  return earlier.map((other) => {
    const started = Date.parse(other.started_at) / 1000;
    const ended = other.ended_at ? Date.parse(other.ended_at) / 1000 : null;
    return element("li", {
      className: "earlier",
      children: [
        element("span", { className: `severity ${iconOf(other)}`, children: [icon(iconOf(other)), sentence(other.severity)] }),
        element("a", { href: addressOf({ view: "anomaly", anomalyId: other.id }), text: instant(new Date(started * 1000)) }),
        element("span", { className: "earlier-facts", text: `${ended === null ? "open" : duration(ended - started)} \u00B7 score ${number(other.score)}` }),
      ],
    });
  });
}

/** 1st, 2nd, 3rd, 4th … 11th … 21st. */
function ordinal(count) {
  const suffix = Math.floor(count / 10) % 10 === 1 ? "th" : ({ 1: "st", 2: "nd", 3: "rd" }[count % 10] ?? "th");
  return `${count}${suffix}`;
}
