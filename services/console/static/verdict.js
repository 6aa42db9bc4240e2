// What the detector said beside what truly happened: the ground truth of the scenarios that ran.

import { element, icon, terms } from "./dom.js";
import { addressOf } from "./router.js";
import { parametersText } from "./run-words.js";
import { instant, period, sentence } from "./words.js";

const VERDICTS = {
  true_positive: { word: "True positive", iconName: "ok", className: "right" },
  false_positive: { word: "False positive", iconName: "away", className: "wrong" },
  unknown: { word: "Unknown", iconName: "unknown", className: "open-question" },
};

/** Return the verdict and the runs that it rests on. */
export function verdict(truth, scenarios) {
  const { word, iconName, className } = VERDICTS[truth.verdict] ?? VERDICTS.unknown;
  return [
    element("p", { className: `verdict ${className}`, children: [icon(iconName), element("strong", { text: word })] }),
    element("p", { className: "truth-text", text: truth.text }),
    ...truth.runs.map((run) => ranThen(run, scenarios)),
  ];
}

function ranThen(run, scenarios) {
  const scenario = scenarios?.find(({ name }) => name === run.scenario);
  const started = new Date(run.started_at);
  const when = run.ended_at ? period(started, new Date(run.ended_at)) : `since ${instant(started)}, ${run.state}`;
  const facts = [
    ["Ran", when],
    ["Labelled", run.anomaly ? sentence(run.anomaly) : "benign: nothing is wrong"],
    ["Parameters", parametersText(run.parameters, scenario) || "none"],
    ["Seed", String(run.seed ?? "\u2013")],
  ];
  return element("div", {
    className: "truth-run",
    children: [
      element("p", { className: "truth-scenario", children: [element("a", { href: addressOf({ view: "scenarios" }), text: scenario?.title || sentence(run.scenario) })] }),
      element("dl", { className: "facts-list", children: terms(facts) }),
    ],
  });
}
