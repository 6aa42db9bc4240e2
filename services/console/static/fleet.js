// The fleet at a glance: numbers, the anomalies to look at, and the grid of all connectors.

import { AnomalyEntries } from "./anomaly-entry.js";
import { byId, setText } from "./dom.js";
import { Grid } from "./grid.js";
import { FILTERS, isCharging, isOffline } from "./grid-order.js";
import { Recall } from "./recall.js";
import { count, number } from "./words.js";

const ANOMALIES_SHOWN = 50;
const REFRESH_MS = 1000;

export class FleetView {
  title = "Fleet";

  #grid;
  #entries;
  #recall;
  #timer = 0;

  constructor(root, context) {
    Object.assign(this, { root, model: context.model });
    this.#grid = new Grid(byId("grid"), context, (row) =>
      context.navigate({ view: "charge-point", chargePointId: row.charge_point_id, connector: row.connector }),
    );
    this.#entries = new AnomalyEntries(byId("fleet-anomalies"), { placed: true });
    this.#recall = new Recall(context);
    byId("search").addEventListener("input", ({ target }) => this.#grid.look({ words: target.value }));
    byId("filters").addEventListener("change", ({ target }) => this.#grid.look({ filter: target.value }));
  }

  show() {
    this.#recall.start(`/api/anomalies?limit=${ANOMALIES_SHOWN}`);
    this.#timer = setInterval(() => this.#grid.refresh(), REFRESH_MS);
  }

  hide() {
    clearInterval(this.#timer);
    this.#recall.stop();
  }

  render(changed) {
    this.#recall.render();
    this.#grid.render(changed);
    const { model } = this;
    if (changed.keys.size || changed.fleet || changed.anomalies || changed.services) this.#count();
    if (changed.anomalies || changed.services) {
      const anomalies = model.allAnomalies().slice(0, ANOMALIES_SHOWN);
      this.#entries.render(anomalies);
      setText(byId("fleet-anomalies-empty"), this.#remark(anomalies.length));
    }
    setText(byId("grid-empty"), this.#grid.count ? "" : this.#nothing());
  }

  #count() {
    const { model } = this;
    const rows = [...model.connectors.values()];
    const counts = Object.fromEntries(Object.keys(FILTERS).map((name) => [name, 0]));
    let watts = 0;
    for (const row of rows) {
      for (const [name, lets] of Object.entries(FILTERS)) if (lets(row, model)) counts[name] += 1;
      if (isCharging(row) && row.power_w !== null) watts += row.power_w;
    }
    const kilowatts = watts / 1000;
    const online = rows.filter((row) => !isOffline(row)).length;
    const open = [...model.anomalies.values()].filter((anomaly) => anomaly.open).length;
    setText(byId("number-online"), count(online));
    setText(byId("number-known"), `of ${count(rows.length)}`);
    setText(byId("number-charging"), count(counts.charging));
    setText(byId("number-power"), kilowatts < 999.5 ? number(kilowatts) : count(Math.round(kilowatts)));
    setText(byId("number-anomalies"), count(open));
    byId("number-anomalies").classList.toggle("alarm", open > 0);
    for (const [name, n] of Object.entries(counts)) setText(byId(`count-${name}`), count(n));
  }

  #remark(shown) {
    if (this.#recall.trouble) return `Only what this page heard itself is shown. ${this.#recall.trouble}`;
    return shown ? "" : "No anomaly is remembered.";
  }

  #nothing() {
    if (!this.model.services.can && !this.model.connectors.size) return "Connecting\u2026";
    if (!this.model.connectors.size) return "No charge point is heard on CAN or known to the CSMS yet.";
    return "No charge point matches.";
  }
}
