// The anomalies of the selected charge point: the open ones from the stream, the past from the MemoryBank.

import { ask } from "./api.js";
import { byId, element, icon, setText } from "./dom.js";
import { iconOf } from "./fleet.js";
import { anomalyWord, duration, instant, period, sentence } from "./words.js";

const SHOWN = 50;

export class AnomalyList {
  #asked = null;
  #trouble = "";

  /** Ask the MemoryBank for a charge point's past, which the model learns. Returns whether it answered. */
  async recall(model, chargePointId) {
    const asked = (this.#asked = Symbol(chargePointId));
    try {
      const path = `/api/anomalies?charge_point_id=${encodeURIComponent(chargePointId)}&limit=${SHOWN}`;
      for (const anomaly of (await ask("GET", path)).items) model.learn(anomaly);
      if (asked === this.#asked) this.#trouble = "";
      return true;
    } catch (error) {
      if (asked === this.#asked) this.#trouble = error.message;
      return false;
    } finally {
      model.changed.anomalies = true;
    }
  }

  render(model, view) {
    const anomalies = view ? model.anomaliesOf(view).slice(0, SHOWN) : [];
    byId("anomaly-list").replaceChildren(...anomalies.map(entry));
    setText(byId("anomalies-aside"), view ? view.charge_point_id : "");
    setText(byId("anomalies-empty"), view ? this.#remark(model, view, anomalies.length) : "");
    byId("anomalies-empty").hidden = !byId("anomalies-empty").textContent;
  }

  #remark(model, view, count) {
    const trouble = model.works("memorybank") ? this.#trouble : "The MemoryBank is away.";
    if (trouble) return `Only what this page heard itself is shown. ${trouble}`;
    return count ? "" : `No anomaly is remembered for ${view.charge_point_id}.`;
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

/** Show whether something is detected now: in words and with an icon, and in the page's title. */
export function showIndicator(model, view, name) {
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
  const title = view ? `${name} \u00B7 ChargeBench` : "ChargeBench";
  const full = open.length ? `\u25B2 ${text}: ${title}` : title;
  if (document.title !== full) document.title = full;
}
