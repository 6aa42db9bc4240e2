// An anomaly as an entry of a list: a link to its page.

import { element, icon } from "./dom.js";
import { addressOf } from "./router.js";
import { iconOf } from "./status.js";
import { duration, instant, period, placeName, sentence } from "./words.js";

/** Keeps a list of entries, touching the page only where one changed. */
export class AnomalyEntries {
  #entries = new Map();

  /** `placed`: each says which charge point it is of. */
  constructor(list, { placed = false } = {}) {
    Object.assign(this, { list, placed });
  }

  render(anomalies) {
    const entries = new Map();
    anomalies.forEach((anomaly, n) => {
      const said = JSON.stringify([anomaly.updatedS, anomaly.open, anomaly.severity, anomaly.explanation]);
      let entry = this.#entries.get(anomaly.id);
      if (entry?.said !== said) {
        const focused = entry?.item.contains(document.activeElement);
        const item = makeItem(anomaly, this.placed);
        entry?.item.replaceWith(item);
        entry = { said, item };
        if (focused) item.querySelector("a").focus();
      }
      entries.set(anomaly.id, entry);
      if (this.list.children[n] !== entry.item) this.list.insertBefore(entry.item, this.list.children[n] ?? null);
    });
    for (const [id, { item }] of this.#entries) if (!entries.has(id)) item.remove();
    this.#entries = entries;
  }
}

function makeItem(anomaly, placed) {
  const started = new Date(anomaly.startedS * 1000);
  const ended = new Date((anomaly.endedS ?? anomaly.updatedS) * 1000);
  const when = anomaly.open ? `since ${instant(started)}, open` : period(started, ended);
  const lasted = anomaly.open ? "" : duration(Math.max(0, (ended - started) / 1000));
  const severity = iconOf(anomaly);
  const facts = [placed && placeOf(anomaly), when].filter(Boolean).join(" \u00B7 ");
  const link = element("a", {
    href: addressOf({ view: "anomaly", anomalyId: anomaly.id }),
    children: [
      element("span", {
        className: "anomaly-head",
        children: [
          element("span", { className: `severity ${severity}`, children: [icon(severity)] }),
          element("strong", { text: sentence(anomaly.kind) }),
        ],
      }),
      " ",
      element("span", {
        className: "when",
        title: lasted,
        children: [element("span", { className: `severity ${severity}`, text: sentence(anomaly.severity) }), ` \u00B7 ${facts}`],
      }),
      " ",
      // It says the pattern too that the memory recalls: "the 14th time on CP-1, first seen …".
      element("span", { className: "explanation", text: anomaly.explanation }),
    ],
  });
  return element("li", { className: `anomaly ${anomaly.open ? "open" : ""} ${severity}`, children: [link] });
}

function placeOf({ charge_point_id: chargePointId, connector }) {
  return connector > 1 ? `${chargePointId} \u00B7 ${connector}` : placeName(chargePointId);
}
