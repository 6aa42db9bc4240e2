// One row of the grid, made once and shown for whichever connector is in sight.

import { element, icon, setText, sparkline } from "./dom.js";
import { ageS } from "./grid-order.js";
import { addressOf } from "./router.js";
import { busTrouble, iconOf, statusIcon, statusOf } from "./status.js";
import { NONE, amperes, anomalyWord, power, secondsOrMinutes, sentence } from "./words.js";

const LEAST_RANGE_A = 10;

export class GridRow {
  #spark = sparkline();
  #link = element("a", { tabindex: "-1" });
  #status = iconAndText();
  #anomaly = iconAndText();
  #current = element("span");
  #power = element("span");
  #scenario = element("span");
  #age = element("span");

  key = null;

  constructor() {
    this.element = element("div", {
      className: "grid-row",
      role: "row",
      children: [
        cell("identity", this.#link),
        cell("status", this.#status.made),
        cell("spark", this.#spark.made),
        cell("current", this.#current),
        cell("power", this.#power),
        cell("anomaly", this.#anomaly.made),
        cell("scenario", this.#scenario),
        cell("age", this.#age),
      ],
    });
  }

  /** Show a connector. */
  show(row, model, nowS) {
    if (this.key !== row.key) {
      this.key = this.element.dataset.key = row.key;
      this.#link.href = addressOf({ view: "charge-point", chargePointId: row.charge_point_id, connector: row.connector });
    }
    const name = model.nameOf(row);
    setText(this.#link, name);
    setTitle(this.#link, name);
    const status = [statusOf(row, model), busTrouble(row)].filter(Boolean).join(", ");
    this.#status.show(statusIcon(row.csms), status);
    setText(this.#current, row.stale ? NONE : amperes(row.present_a));
    setText(this.#power, row.stale ? NONE : power(row.power_w));
    const [gravest, ...others] = model.openOf(row.key);
    const more = others.length ? ` +${others.length}` : "";
    this.#anomaly.show(gravest ? iconOf(gravest) : "", gravest ? anomalyWord(gravest) + more : "");
    const scenario = row.csms?.scenario;
    setText(this.#scenario, scenario ? sentence(scenario) : "");
    setTitle(this.#scenario, scenario ? (model.scenario(scenario)?.title ?? scenario) : "");
    setText(this.#age, ageWord(ageS(row, nowS)));
    this.element.classList.toggle("quiet", row.bus !== "live");
    const points = pointsOf(row.samples, nowS, model.spanS);
    if (points !== this.#spark.line.getAttribute("points")) this.#spark.line.setAttribute("points", points);
  }

  /** Stand at a place of the list. */
  place(index, height, isActive) {
    const { style } = this.element;
    const transform = `translateY(${index * height}px)`;
    if (style.transform !== transform) style.transform = transform;
    const rowIndex = String(index + 2); // the head is the first row
    if (this.element.getAttribute("aria-rowindex") !== rowIndex) this.element.setAttribute("aria-rowindex", rowIndex);
    this.element.tabIndex = isActive ? 0 : -1;
  }
}

function cell(name, child) {
  return element("div", { className: `cell cell-${name}`, role: "gridcell", children: [child] });
}

function iconAndText() {
  const made = element("span", { className: "worded" });
  const text = element("span");
  let shown = null;
  return {
    made,
    show(iconName, words) {
      setText(text, words);
      setTitle(text, words);
      if (shown === iconName) return;
      shown = iconName;
      made.className = `worded ${iconName}`;
      made.replaceChildren(...(iconName ? [icon(iconName)] : []), text);
    },
  };
}

function setTitle(target, title) {
  if (target.title !== title) target.title = title;
}

function ageWord(silentS) {
  if (silentS === Infinity) return NONE;
  return silentS === 0 ? "now" : secondsOrMinutes(silentS);
}

/** Return the points of a sparkline 100 wide and 20 high, its right edge now. */
function pointsOf(samples, nowS, spanS) {
  if (!samples.length) return "";
  let highest = LEAST_RANGE_A;
  for (const [, currentA] of samples) if (currentA > highest) highest = currentA;
  const x = (atS) => (100 * (1 - (nowS - atS) / spanS)).toFixed(1);
  const y = (currentA) => (19 - (18 * Math.max(0, currentA)) / (1.05 * highest)).toFixed(1);
  return samples.map(([atS, currentA]) => `${x(atS)},${y(currentA)}`).join(" ");
}
