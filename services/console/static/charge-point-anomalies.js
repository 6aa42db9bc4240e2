// The anomalies of the selected charge point: the open ones from the stream, the past from the MemoryBank.

import { byId, element, icon, setText } from "./dom.js";
import { iconOf } from "./fleet.js";
import { anomalyWord, duration, instant, period, sentence } from "./words.js";

const SHOWN = 50;
const RECALL_AGAIN_MS = 3000;

export class AnomaliesPanel {
  #chargePointId = null;
  #connector = null;
  #recalled = null;
  #trouble = "";
  #off = [];
  #again = 0;

  constructor(root, context) {
    Object.assign(this, { root, context });
  }

  show({ chargePointId, connector }) {
    this.hide();
    if (chargePointId !== this.#chargePointId) this.#trouble = "";
    this.#chargePointId = chargePointId;
    this.#connector = connector;
    this.#recalled = null;
    // What is past is asked for again when an anomaly ends, and after the stream was away.
    this.#off = [
      this.context.stream.on("snapshot", () => (this.#recalled = null)),
      this.context.stream.on("update", ({ anomalies = [] }) => {
        if (anomalies.some((anomaly) => anomaly.phase === "closed")) this.#recalled = null;
      }),
    ];
  }

  hide() {
    clearTimeout(this.#again);
    for (const off of this.#off) off();
    this.#off = [];
  }

  render(changed) {
    const { model } = this.context;
    if (!model.works("memorybank")) this.#recalled = null;
    else if (this.#recalled !== this.#chargePointId) this.#recall();
    if (changed.anomalies || changed.services || changed.fleet) this.#show(model.find(this.#chargePointId, this.#connector));
  }

  /** Ask the MemoryBank for the charge point's past, which the model learns. */
  async #recall() {
    const { model, ask } = this.context;
    const chargePointId = (this.#recalled = this.#chargePointId);
    let trouble = "";
    try {
      const path = `/api/anomalies?charge_point_id=${encodeURIComponent(chargePointId)}&limit=${SHOWN}`;
      for (const anomaly of (await ask("GET", path)).items) model.learn(anomaly);
    } catch (error) {
      trouble = error.message;
    }
    if (chargePointId !== this.#chargePointId) return;
    this.#trouble = trouble;
    if (trouble) {
      clearTimeout(this.#again);
      this.#again = setTimeout(() => {
        this.#recalled = null;
        model.onLearn();
      }, RECALL_AGAIN_MS);
    }
    model.changed.anomalies = true;
    model.onLearn();
  }

  #show(view) {
    const anomalies = view ? this.context.model.anomaliesOf(view).slice(0, SHOWN) : [];
    byId("anomaly-list").replaceChildren(...anomalies.map(entry));
    setText(byId("anomalies-empty"), this.#remark(anomalies.length));
    byId("anomalies-empty").hidden = !byId("anomalies-empty").textContent;
  }

  #remark(count) {
    const trouble = this.context.model.works("memorybank") ? this.#trouble : "The MemoryBank is away.";
    if (trouble) return `Only what this page heard itself is shown. ${trouble}`;
    return count ? "" : `No anomaly is remembered for ${this.#chargePointId}.`;
  }
}

function entry(anomaly) {
  const started = new Date(anomaly.startedS * 1000);
  const ended = new Date((anomaly.endedS ?? anomaly.updatedS) * 1000);
  const when = anomaly.open ? `since ${instant(started)}, open` : period(started, ended);
  const lasted = anomaly.open ? "" : duration(Math.max(0, (ended - started) / 1000));
  return element("li", {
    className: `anomaly ${anomaly.open ? "open" : ""}`,
    children: [
      element("p", {
        className: "anomaly-head",
        children: [
          element("span", { className: `severity ${iconOf(anomaly)}`, children: [icon(iconOf(anomaly)), sentence(anomaly.severity)] }),
          element("strong", { text: sentence(anomaly.kind) }),
          element("span", { className: "when", text: when, title: lasted }),
        ],
      }),
      element("p", { className: "explanation", text: anomaly.explanation }),
    ],
  });
}

/** Show whether something is detected now: in words and with an icon. */
export function showIndicator(model, view) {
  const open = view ? model.anomaliesOf(view).filter((anomaly) => anomaly.open) : [];
  // The MemoryBank detects, and the broker brings it what to detect in.
  const blind = !model.works("broker") || !model.works("memorybank");
  let [state, iconName, text] = ["calm", "ok", "No anomaly"];
  if (open.length) {
    const more = open.length > 1 ? ` (+${open.length - 1} more)` : "";
    [state, iconName, text] = ["alarm", iconOf(open[0]), `${anomalyWord(open[0])} detected${more}`];
  } else if (!view || blind) {
    [state, iconName, text] = ["blind", "unknown", view ? "Detection paused" : "Waiting"];
  }
  const indicator = byId("indicator");
  if (indicator.dataset.text !== text) {
    indicator.dataset.text = text;
    indicator.className = `indicator ${state} ${state === "alarm" ? iconName : ""}`;
    indicator.replaceChildren(icon(iconName), element("span", { text }));
  }
}
