// The page: the stream fills the model, the model is shown, a person selects.

import { AnomalyList, showIndicator } from "./anomalies.js";
import { byId, setText } from "./dom.js";
import { FleetList, statusOf } from "./fleet.js";
import { Graph, showStatistics } from "./graph.js";
import { Model } from "./model.js";
import { ScenarioPanel } from "./scenarios.js";
import { showServices } from "./services.js";
import { Stream } from "./stream.js";
import { number } from "./words.js";

const RECALL_AGAIN_MS = 3000;

const model = new Model();
const fleet = new FleetList(select);
const anomalies = new AnomalyList();
const scenarios = new ScenarioPanel(model);

let wanted = fromAddress();
let connected = false;
let scheduled = false;
let recalled = null;

const stream = new Stream("/api/stream", take, (now) => {
  if (now === connected) return;
  connected = now;
  model.changed.services = true;
  schedule();
});

const graph = new Graph(() => {
  const view = selected();
  return { view, anomalies: view ? model.anomaliesOf(view) : [], spanS: model.spanS, nowS: stream.nowS() };
});

addEventListener("popstate", () => {
  wanted = fromAddress();
  show();
});

function fromAddress() {
  const query = new URLSearchParams(location.search);
  const chargePointId = query.get("charge_point");
  return chargePointId === null ? null : { chargePointId, connector: Number(query.get("connector") ?? 0) };
}

/** Return the connector that is shown: the one that was asked for, else the first. */
function selected() {
  return model.find(wanted?.chargePointId, wanted?.connector);
}

function select(key) {
  const view = model.connectors.get(key);
  if (!view) return;
  wanted = { chargePointId: view.charge_point_id, connector: view.connector };
  const query = new URLSearchParams({ charge_point: view.charge_point_id });
  if (view.connector !== 1) query.set("connector", view.connector);
  history.pushState(null, "", `?${query}`);
  show();
}

function show() {
  graph.reset();
  recalled = null;
  Object.assign(model.changed, { fleet: true, anomalies: true, scenarios: true });
  schedule();
}

function take(kind, message) {
  const remembered = model.works("memorybank");
  model.apply(kind, message);
  // What is past is asked for again when an anomaly ends or the MemoryBank is back.
  const ended = (message.anomalies ?? []).some((anomaly) => anomaly.phase === "closed");
  if (kind === "snapshot" || ended || (!remembered && model.works("memorybank"))) recalled = null;
  schedule();
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    render();
  });
}

function render() {
  const view = selected();
  if (view) scenarios.follow(view.charge_point_id);
  if (view && recalled !== view.charge_point_id && model.works("memorybank")) {
    recalled = view.charge_point_id;
    anomalies.recall(model, view.charge_point_id).then((remembered) => {
      if (!remembered) setTimeout(() => (recalled = null), RECALL_AGAIN_MS);
      schedule();
    });
  }
  const changed = model.takeChanges();
  fleet.render(model, changed, view?.key);
  if (changed.services) showServices(model, connected);
  if (changed.anomalies || changed.services) anomalies.render(model, view);
  if (changed.scenarios || changed.services) scenarios.render();
  showSelected(view);
}

function showSelected(view) {
  const name = view ? model.nameOf(view) : (wanted?.chargePointId ?? "No charge point");
  setText(byId("selected-title"), name);
  setText(byId("selected-facts"), view ? facts(view) : "Not heard on CAN and not known to the CSMS; waiting for it.");
  showStatistics(view);
  showIndicator(model, view, name);
}

function facts(view) {
  const { csms, bus, module_state: state, faults, voltage_v: voltage, temperature_c: temperature, soc_percent: soc } = view;
  const heard = [
    state && `module ${state}${faults.length ? ` (${faults.join(", ")})` : ""}`,
    voltage !== null && `${number(voltage, 0)} V`,
    temperature !== null && `${number(temperature)} \u00B0C`,
    soc !== null && `battery ${number(soc, 0)} %`,
  ];
  return [
    statusOf(view, model),
    csms?.transaction_id != null && `transaction ${csms.transaction_id}`,
    ...(bus === "live" ? heard : []),
    view.bus_port !== null && `CAN port ${view.bus_port}`,
  ]
    .filter(Boolean)
    .join(" \u00B7 ");
}
