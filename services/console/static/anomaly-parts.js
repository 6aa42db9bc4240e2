// The parts of an anomaly's page, filled from what is known of it.

import { element, fill, icon, setText } from "./dom.js";
import { iconOf } from "./status.js";
import { earlierOnes, recollection, signature } from "./recurrence.js";
import { addressOf } from "./router.js";
import { plain } from "./run-words.js";
import { verdict } from "./verdict.js";
import { duration, instant, isOfFleet, number, period, sentence } from "./words.js";

/** Where Grafana is, as the server knows it; a bench without one has no links to it. */
const GRAFANA = document.querySelector('meta[name="chargebench-grafana"]').content;
/** So long before an anomaly and after it people look. */
export const AROUND_S = 120;
const BROADER = 1.15;

export class AnomalyParts {
  #title = element("h1", { id: "anomaly-title", "data-heading": "", tabindex: "-1", text: "Anomaly" });
  #severity = element("span", { id: "anomaly-severity" });
  #when = element("span", { id: "anomaly-when", className: "anomaly-when" });
  #explanation = element("p", { id: "anomaly-explanation", className: "anomaly-explanation" });
  #chargePoint = element("a", { className: "button" });
  #grafana = element("a", { className: "button", target: "_blank", rel: "noreferrer", text: "Charge point live in Grafana \u2197" });
  #missing = element("p", { id: "anomaly-missing", className: "empty", role: "status" });
  #body = element("div", { className: "anomaly-body" });
  #truth = element("div", { id: "anomaly-truth", className: "truth" });
  #others = element("ul", { id: "anomaly-others", className: "earlier-list", "aria-label": "What other detectors said" });
  #measure = element("div", { id: "anomaly-measure", className: "measure" });
  #signature = element("div", { className: "signature-place" });
  #recollection = element("p", { id: "anomaly-recollection", className: "recollection" });
  #earlier = element("ol", { id: "anomaly-earlier", className: "earlier-list" });
  #links = element("nav", { className: "anomaly-links", "aria-label": "Where to go on", children: [this.#chargePoint, this.#grafana] });

  constructor(root, evidence, exports) {
    this.#body.append(
      panel("anomaly-evidence", "Evidence", [evidence]),
      panel("anomaly-verdict", "Verdict and ground truth", [this.#truth, this.#others]),
      panel("anomaly-measures", "Measure", [this.#measure, this.#signature]),
      panel("anomaly-before", "Seen before", [this.#recollection, this.#earlier]),
      panel("anomaly-exports", "Take it along", [exports]),
    );
    root.replaceChildren(
      element("div", {
        className: "panel anomaly-top",
        children: [
          element("div", { className: "anomaly-names", children: [this.#title, this.#severity, this.#when] }),
          this.#links,
          this.#explanation,
        ],
      }),
      this.#missing,
      this.#body,
    );
  }

  /** Show {anomaly, detail, trouble, scenarios, nowS}; anomaly is null before it is known. */
  render({ anomaly, detail, trouble, scenarios, nowS }) {
    setText(this.#missing, trouble || (anomaly ? "" : "Asking the MemoryBank\u2026"));
    this.#missing.hidden = !this.#missing.textContent;
    for (const part of [this.#body, this.#links, this.#explanation, this.#severity, this.#when]) part.hidden = !anomaly;
    setText(this.#title, anomaly ? sentence(anomaly.kind) : "Anomaly");
    if (!anomaly) return;
    this.#renderTop(anomaly, nowS);
    fill(this.#measure, [anomaly.severity, anomaly.score, anomaly.threshold, anomaly.deviation, anomaly.detectedS, anomaly.open], () => measure(anomaly));
    if (!detail) return;
    const { pattern, earlier, truth, others } = detail;
    fill(this.#truth, [truth, scenarios], () => verdict(truth, scenarios));
    fill(this.#others, others, () => others.map(saidBy));
    this.#others.hidden = !others.length;
    fill(this.#signature, [anomaly.pattern, pattern], () => signature(anomaly, pattern));
    setText(this.#recollection, recollection(anomaly, pattern, earlier));
    fill(this.#earlier, earlier, () => earlierOnes(earlier));
  }

  #renderTop(anomaly, nowS) {
    fill(this.#severity, anomaly.severity, () => [icon(iconOf(anomaly)), sentence(anomaly.severity)]);
    this.#severity.className = `severity badge ${iconOf(anomaly)}`;
    const started = new Date(anomaly.startedS * 1000);
    const ended = new Date((anomaly.endedS ?? anomaly.updatedS) * 1000);
    setText(
      this.#when,
      anomaly.open
        ? `Open since ${instant(started)}, for ${duration(Math.max(0, nowS - anomaly.startedS))}`
        : `${period(started, ended)}, lasted ${duration((ended - started) / 1000)}`,
    );
    setText(this.#explanation, fullSentence(anomaly.explanation));
    const { charge_point_id: chargePointId, connector } = anomaly;
    const ofFleet = isOfFleet(anomaly);
    setText(this.#chargePoint, ofFleet ? "The fleet" : `Charge point ${chargePointId}`);
    this.#chargePoint.href = addressOf(ofFleet ? { view: "fleet" } : { view: "charge-point", chargePointId, connector });
    this.#grafana.hidden = !GRAFANA || ofFleet;
    this.#grafana.href = grafanaAddress(anomaly, ended);
  }
}

/** Return the address of the dashboard `Charge point live` around the anomaly. */
function grafanaAddress(anomaly, ended) {
  const query = new URLSearchParams({
    "var-charge_point": anomaly.charge_point_id,
    "var-connector": String(anomaly.connector || 1),
    from: String(Math.round((anomaly.startedS - AROUND_S) * 1000)),
    to: anomaly.open ? "now" : String(Math.round(ended.getTime() + AROUND_S * 1000)),
  });
  return `${GRAFANA.replace(/\/+$/, "")}/d/chargebench-live/charge-point-live?${query}`;
}

function measure(anomaly) {
  const { score, threshold, deviation, detectedS, startedS } = anomaly;
  const end = Math.max(score, threshold) * BROADER || 1;
  const bar = element("div", { className: `score-bar ${iconOf(anomaly)}`, "aria-hidden": "true", children: [element("i", { className: "score-fill" }), element("i", { className: "score-threshold" })] });
  bar.firstChild.style.width = `${(100 * score) / end}%`;
  bar.lastChild.style.left = `${(100 * threshold) / end}%`;
  const unit = "amplitude_a" in anomaly.pattern ? " A" : "";
  const facts = [
    ["Score", number(score), `threshold ${number(threshold)}`],
    ["Deviation", `${plain(deviation)}${unit}`, "from the expected"],
    ["Delay", duration(Math.max(0, detectedS - startedS)), "to its detection"],
  ];
  return [
    element("dl", {
      className: "measures",
      children: facts.map(([term, value, says]) =>
        element("div", { children: [element("dt", { text: term }), element("dd", { children: [value, element("span", { className: "says", text: says })] })] }),
      ),
    }),
    bar,
  ];
}

/** Return the line of what a detector of somebody else's said. */
function saidBy({ detector, kind, at, explanation }) {
  const said = explanation ? ` ${fullSentence(explanation)}` : "";
  return element("li", { className: "earlier", text: `${detector}, ${instant(new Date(at))}: ${sentence(kind)}.${said}` });
}

const fullSentence = (words) => `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;

function panel(id, title, children) {
  return element("section", {
    className: `panel ${id}`,
    "aria-labelledby": `${id}-title`,
    children: [element("h2", { id: `${id}-title`, text: title }), ...children],
  });
}
