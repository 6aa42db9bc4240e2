// The fleet at a glance: a row for each connector.

import { byId, element, icon, setText, sparkline } from "./dom.js";
import { NONE, amperes, anomalyWord, plural } from "./words.js";

const BUS_WORDS = { silent: "no readings", lost: "bus lost", none: "no CAN bus" };

/** Return a connector's status in words, from the CSMS or, where that knows nothing, from its module. */
export function statusOf(view, model) {
  if (!view.csms) return view.module_state ? `Module ${view.module_state}` : "Unknown";
  const status = view.csms.connected ? (view.csms.status ?? "Connected") : "Offline";
  return model.works("csms") ? status : `${status} (last known)`;
}

export class FleetView {
  title = "Fleet";

  #list = byId("fleet-list");
  #rows = new Map();
  #open = new Map();

  constructor(root, { model, navigate }) {
    Object.assign(this, { root, model });
    this.#list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      const view = model.connectors.get(button?.dataset.key);
      if (view) navigate({ view: "charge-point", chargePointId: view.charge_point_id, connector: view.connector });
    });
    this.#list.addEventListener("keydown", (event) => this.#onKey(event));
  }

  show() {}

  hide() {}

  render(changed) {
    const { model } = this;
    if (changed.fleet) this.#arrange(model);
    if (changed.fleet || changed.anomalies) this.#open = model.openAnomalies();
    const all = changed.fleet || changed.anomalies || changed.services;
    for (const key of all ? this.#rows.keys() : changed.keys) {
      this.#show(this.#rows.get(key), model.connectors.get(key), model);
    }
    if (!changed.fleet) return;
    const chargePoints = new Set([...model.connectors.values()].map((view) => view.charge_point_id)).size;
    setText(byId("fleet-count"), chargePoints ? plural(chargePoints, "charge point") : "");
    byId("fleet-empty").hidden = chargePoints > 0;
    setText(byId("fleet-empty"), "No charge point is heard on CAN or known to the CSMS yet.");
  }

  #arrange(model) {
    for (const [key, row] of this.#rows) {
      if (model.connectors.has(key)) continue;
      row.item.remove();
      this.#rows.delete(key);
    }
    const rows = new Map();
    model.keysInOrder().forEach((key, n) => {
      const row = this.#rows.get(key) ?? makeRow(key);
      rows.set(key, row);
      if (this.#list.children[n] !== row.item) this.#list.insertBefore(row.item, this.#list.children[n] ?? null);
    });
    this.#rows = rows;
  }

  #show(row, view, model) {
    const { statistics, bus } = view;
    const open = this.#open.get(view.key) ?? [];
    const name = model.nameOf(view);
    setText(row.name, name);
    if (row.name.title !== name) row.name.title = name;
    setText(row.status, bus === "live" ? statusOf(view, model) : `${statusOf(view, model)}, ${BUS_WORDS[bus]}`);
    setText(row.current, statistics.stale ? NONE : amperes(statistics.present_a));
    row.button.classList.toggle("quiet", bus !== "live");
    const word = open.length ? anomalyWord(open[0]) : "";
    if (row.badge.dataset.word !== word) {
      row.badge.dataset.word = word;
      row.badge.replaceChildren(...(word ? [icon(iconOf(open[0])), element("span", { text: word })] : []));
    }
    row.line.setAttribute("points", points(view.samples));
  }

  #onKey(event) {
    const buttons = [...this.#rows.values()].map((row) => row.button);
    const at = buttons.indexOf(document.activeElement);
    const target = {
      ArrowDown: at + 1,
      ArrowRight: at + 1,
      ArrowUp: at - 1,
      ArrowLeft: at - 1,
      Home: 0,
      End: buttons.length - 1,
    }[event.key];
    if (target === undefined || at < 0) return;
    event.preventDefault();
    buttons[Math.max(0, Math.min(buttons.length - 1, target))].focus();
  }
}

/** Return the icon of an anomaly's severity. */
export function iconOf(anomaly) {
  return ["info", "warning", "critical"].includes(anomaly.severity) ? anomaly.severity : "warning";
}

function makeRow(key) {
  const { made, line } = sparkline();
  const row = {
    line,
    name: element("span", { className: "row-name" }),
    status: element("span", { className: "row-status" }),
    current: element("span", { className: "row-current" }),
    badge: element("span", { className: "row-badge" }),
  };
  row.button = element("button", {
    className: "row",
    type: "button",
    "data-key": key,
    children: [
      row.name,
      " ",
      made,
      row.current,
      " ",
      element("span", { className: "row-line", children: [row.status, " ", row.badge] }),
    ],
  });
  row.item = element("li", { children: [row.button] });
  return row;
}

function points(samples) {
  if (!samples.length) return "";
  const newestS = samples[samples.length - 1].atS;
  const highest = 1.1 * Math.max(10, ...samples.map((sample) => sample.currentA));
  return samples
    .map(({ atS, currentA }) => `${(60 - newestS + atS).toFixed(1)},${(19 - (18 * Math.max(0, currentA)) / highest).toFixed(1)}`)
    .join(" ");
}
