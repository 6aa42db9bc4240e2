// A charge point's page: its instrument, and in tabs what else there is to know and to do.

import { AnomaliesPanel, showIndicator } from "./charge-point-anomalies.js";
import { byId, setText } from "./dom.js";
import { ExportPanel } from "./exports.js";
import { statusOf } from "./fleet.js";
import { Graph, showStatistics } from "./graph.js";
import { LogPanel } from "./message-log.js";
import { RoguePanel } from "./rogue.js";
import { addressOf } from "./router.js";
import { Tabs } from "./tabs.js";
import { Switch } from "./views.js";
import { anomalyWord, number } from "./words.js";

/** The panels by the name of their tab (`tab-NAME`, `NAME-panel`); a tab without a panel is not shown. */
const PANELS = {
  anomalies: AnomaliesPanel,
  log: LogPanel,
  rogue: RoguePanel,
  export: ExportPanel,
};

export class ChargePointView {
  #route = null;
  #panels;
  #tabs;
  #graph;
  #logged = false;

  constructor(root, context) {
    Object.assign(this, { root, context });
    const members = {};
    for (const tab of root.querySelectorAll('[role="tab"]')) {
      const name = tab.id.replace("tab-", "");
      tab.hidden = !(name in PANELS);
      if (tab.hidden) continue;
      const panel = byId(`${name}-panel`);
      members[name] = { root: panel, member: new PANELS[name](panel, context) };
    }
    this.#panels = new Switch(members);
    this.#tabs = new Tabs(byId("tabs"), (tab) => this.#choose(tab.id.replace("tab-", "")));
    this.#graph = new Graph(() => {
      const { model, stream } = context;
      const view = this.connector;
      return { view, anomalies: view ? model.anomaliesOf(view) : [], spanS: model.spanS, nowS: stream.nowS() };
    });
  }

  /** The connector that is shown; null before any was, undefined while it is not known. */
  get connector() {
    return this.#route && this.context.model.find(this.#route.chargePointId, this.#route.connector);
  }

  get title() {
    const { model } = this.context;
    const view = this.connector;
    const open = view ? model.anomaliesOf(view).find((anomaly) => anomaly.open) : null;
    const name = view ? model.nameOf(view) : this.#route.chargePointId;
    return open ? `\u25B2 ${anomalyWord(open)} detected: ${name}` : name;
  }

  show(route) {
    if (route.chargePointId !== this.#route?.chargePointId) this.#logged = false;
    this.#route = route;
    byId("run-scenario").href = addressOf({ view: "scenarios", chargePointId: route.chargePointId });
    this.#graph.start();
    this.#choose(this.#panels.name ?? "anomalies");
  }

  hide() {
    this.#graph.stop();
    this.#panels.shown?.hide();
  }

  #choose(name) {
    // Once the messages were looked at they go on arriving, whichever tab is in front.
    if (name === "log") this.#logged = true;
    this.#tabs.mark(byId(`tab-${name}`));
    this.context.stream.follow({ ...this.#route, log: this.#logged });
    this.#panels.show(name, this.#route);
    this.context.model.changeAll();
    this.context.model.onLearn();
  }

  render(changed) {
    const { model } = this.context;
    const view = this.connector;
    const name = view ? model.nameOf(view) : this.#route.chargePointId;
    setText(byId("selected-title"), name);
    setText(byId("selected-facts"), view ? facts(view, model) : "Not heard on CAN and not known to the CSMS; waiting for it.");
    showStatistics(view);
    showIndicator(model, view);
    this.#panels.render(changed);
  }
}

function facts(view, model) {
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
