// A charge point's page: its instrument, and in tabs what else there is to know and to do.

import { AnomaliesPanel, showIndicator } from "./charge-point-anomalies.js";
import { Detail } from "./detail.js";
import { byId, element, setText } from "./dom.js";
import { ExportPanel } from "./exports.js";
import { Graph } from "./graph.js";
import { agreement } from "./limits.js";
import { LogPanel } from "./message-log.js";
import { RoguePanel } from "./rogue.js";
import { addressOf } from "./router.js";
import { statusOf } from "./status.js";
import { Tabs } from "./tabs.js";
import { TransactionFacts } from "./transaction.js";
import { Switch } from "./views.js";
import { NONE, amperes, anomalyWord, number } from "./words.js";

/** The panels by the name of their tab (`tab-NAME`, `NAME-panel`); a tab without a panel is not shown. */
const PANELS = {
  anomalies: AnomaliesPanel,
  log: LogPanel,
  rogue: RoguePanel,
  export: ExportPanel,
};

const SETTLED_S = 3;

export class ChargePointView {
  #route = null;
  #detail = new Detail();
  #panels;
  #tabs;
  #graph;
  #transaction;
  #logged = false;
  #offDetail = () => {};

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
    this.#transaction = new TransactionFacts(byId("transaction"), context);
    this.#graph = new Graph(() => {
      const { model, stream } = context;
      const row = this.row;
      return { detail: this.#detail, anomalies: row ? model.anomaliesOf(row) : [], spanS: model.spanS, nowS: stream.nowS() };
    });
  }

  /** The fleet's row of what is shown, or was last; null before that, undefined while it is not known. */
  get row() {
    return this.#route && this.context.model.find(this.#route.chargePointId, this.#route.connector);
  }

  get title() {
    const open = this.row && this.context.model.openOf(this.row.key)[0];
    return open ? `\u25B2 ${anomalyWord(open)} detected: ${this.#name}` : this.#name;
  }

  get #name() {
    return this.row ? this.context.model.nameOf(this.row) : this.#route.chargePointId;
  }

  show(route) {
    const { chargePointId, connector } = route;
    if (chargePointId !== this.#route?.chargePointId) this.#logged = false;
    this.#route = route;
    this.#detail.follow(chargePointId, connector);
    this.#offDetail();
    this.#offDetail = this.context.stream.on("detail", (message) => this.#detail.take(message, this.context.model.spanS));
    byId("run-scenario").href = addressOf({ view: "scenarios", chargePointId });
    this.#graph.start();
    this.#choose(this.#panels.name ?? "anomalies");
  }

  hide() {
    this.#graph.stop();
    this.#transaction.stop();
    this.#offDetail();
    this.#panels.shown?.hide();
  }

  #choose(name) {
    // Once the messages were looked at they go on arriving, whichever tab is in front.
    if (name === "log") this.#logged = true;
    this.#tabs.mark(byId(`tab-${name}`));
    this.#panels.show(name, this.#route);
    this.context.stream.follow({ ...this.#route, log: this.#logged });
    this.context.model.changeAll();
  }

  render(changed) {
    const { model } = this.context;
    const { row } = this;
    const { latest } = this.#detail;
    setText(byId("selected-title"), this.#name);
    if (changed.fleet) this.#showConnectors();
    setText(byId("selected-facts"), row ? facts(row, latest, model) : "Not heard on CAN and not known to the CSMS; waiting for it.");
    showStatistics(latest);
    showLimits(latest);
    this.#transaction.render(latest?.transaction, this.#route.chargePointId);
    this.#graph.say(this.#detail);
    showIndicator(model, row);
    this.#panels.render(changed);
  }

  /** Where a charge point has several connectors, one is chosen by its number. */
  #showConnectors() {
    const { chargePointId, connector: shown } = this.#route;
    const rows = this.context.model.connectorsOf(chargePointId);
    byId("connectors").hidden = rows.length < 2;
    byId("connectors").replaceChildren(
      ...rows.map(({ connector }) =>
        element("a", {
          text: String(connector),
          href: addressOf({ view: "charge-point", chargePointId, connector }),
          "aria-label": `Connector ${connector}`,
          ...(connector === shown && { "aria-current": "true" }),
        }),
      ),
    );
  }
}

function facts(row, latest, model) {
  const { csms, bus, bus_port: port } = row;
  const { module_state: state, faults = [], soc_percent: soc = null } = latest ?? {};
  const heard = [
    state && `module ${state}${faults.length ? ` (${faults.join(", ")})` : ""}`,
    soc !== null && `battery ${number(soc, 0)} %`,
  ];
  return [
    statusOf(row, model),
    csms?.error_code && csms.error_code !== "NoError" && csms.error_code,
    ...(bus === "live" ? heard : []),
    csms?.scenario && `in ${model.scenario(csms.scenario)?.title ?? csms.scenario}`,
    csms && !csms.enrolled && "not enrolled",
    port !== null && `CAN port ${port}`,
  ]
    .filter(Boolean)
    .join(" \u00B7 ");
}

/** Show the current's figures; what is stale is not called present. */
function showStatistics(latest) {
  const { present_a: present, min_a: min, max_a: max, mean_a: mean, stale } = latest?.statistics ?? {};
  setText(byId("present"), stale ? NONE : amperes(present));
  setText(byId("min"), amperes(min));
  setText(byId("max"), amperes(max));
  setText(byId("mean"), amperes(mean));
}

/** Show the limit at its stations; a command takes a moment from one to the next, so only what lasts is a warning. */
function showLimits(latest) {
  setText(byId("commanded"), amperes(latest?.commanded_a));
  setText(byId("acknowledged"), amperes(latest?.acknowledged_a));
  setText(byId("on-bus"), amperes(latest?.bus_limit_a));
  setText(byId("offered"), latest?.statistics.stale ? NONE : amperes(latest?.offered_a));
  const { agree, text } = latest ? agreement(latest) : { agree: true, text: "" };
  const box = byId("limits");
  if (agree) delete box.dataset.differsSince;
  else box.dataset.differsSince ??= String(latest.now_s);
  box.classList.toggle("differ", !agree && latest.now_s - Number(box.dataset.differsSince) >= SETTLED_S);
  setText(byId("limits-verdict"), text);
}
