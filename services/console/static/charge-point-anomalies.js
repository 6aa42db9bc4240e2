// The anomalies of the connector that is shown: the open ones from the stream, the past from the MemoryBank.

import { AnomalyEntries } from "./anomaly-entry.js";
import { byId, element, icon, setText } from "./dom.js";
import { Recall } from "./recall.js";
import { iconOf } from "./status.js";
import { anomalyWord } from "./words.js";

const SHOWN = 50;

export class AnomaliesPanel {
  #route = null;
  #entries;
  #recall;

  constructor(root, context) {
    this.model = context.model;
    const list = root.appendChild(element("ol", { className: "anomaly-list", id: "anomaly-list" }));
    root.append(element("p", { className: "empty", id: "anomalies-empty" }));
    this.#entries = new AnomalyEntries(list);
    this.#recall = new Recall(context);
  }

  show(route) {
    this.#route = route;
    this.#recall.start(`/api/anomalies?charge_point_id=${encodeURIComponent(route.chargePointId)}&limit=${SHOWN}`);
  }

  hide() {
    this.#recall.stop();
  }

  render(changed) {
    this.#recall.render();
    if (!changed.anomalies && !changed.services && !changed.fleet) return;
    const { chargePointId, connector } = this.#route;
    const anomalies = this.model.anomaliesOf({ charge_point_id: chargePointId, connector }).slice(0, SHOWN);
    this.#entries.render(anomalies);
    setText(byId("anomalies-empty"), this.#remark(anomalies.length));
  }

  #remark(count) {
    if (this.#recall.trouble) return `Only what this page heard itself is shown. ${this.#recall.trouble}`;
    return count ? "" : `No anomaly is remembered for ${this.#route.chargePointId}.`;
  }
}

/** Show whether something is detected now: in words and with an icon. */
export function showIndicator(model, row) {
  const open = row ? model.openOf(row.key) : [];
  // The MemoryBank detects, and the broker brings it what to detect in.
  const blind = !model.works("broker") || !model.works("memorybank");
  let [state, iconName, text] = ["calm", "ok", "No anomaly"];
  if (open.length) {
    const more = open.length > 1 ? ` (+${open.length - 1} more)` : "";
    [state, iconName, text] = ["alarm", iconOf(open[0]), `${anomalyWord(open[0])} detected${more}`];
  } else if (!row || blind) {
    [state, iconName, text] = ["blind", "unknown", row ? "Detection paused" : "Waiting"];
  }
  const indicator = byId("indicator");
  const className = `indicator ${state} ${state === "alarm" ? iconName : ""}`.trim();
  // Looked at often, made anew when it says or looks something else: a severity rises under the same words.
  if (indicator.dataset.text === text && indicator.className === className) return;
  indicator.dataset.text = text;
  indicator.className = className;
  indicator.replaceChildren(icon(iconName), element("span", { text }));
}
