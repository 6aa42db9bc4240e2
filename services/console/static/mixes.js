// Mixes: several scenarios as one, said in words; what a person may choose of them; their runs in the list.

import { plain } from "./run-words.js";
import { sentence } from "./words.js";

const MOST_S = 2_592_000;

/** Return what a person chooses, as parameters of a form: how many runs at each charge point, how long. */
export function mixParameters({ order, runs }) {
  return {
    count: { default: order === "sequence" ? runs.length : 20, unit: "", minimum: 1, maximum: 10_000, whole: true, description: "Runs at each charge point" },
    lasts_s: { default: 3600, unit: "s", minimum: 1, maximum: MOST_S, description: "It ends then at the latest" },
  };
}

/** Return the facts of a mix: [word, text]. */
export function mixFacts({ order, together, pause_s: pause, runs }, titleOf) {
  const weights = new Map();
  for (const { scenario, weight = 1 } of runs) weights.set(scenario, (weights.get(scenario) ?? 0) + weight);
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  const among = [...weights].map(([name, weight]) => `${titleOf(name)} (${plain(Math.round((100 * weight) / total))} %)`);
  return [
    ["Runs", order === "sequence" ? runs.map(({ scenario }) => titleOf(scenario)).join(", then ") : among.join(", ")],
    ["Order", order === "sequence" ? "as listed" : "drawn by the seed"],
    ["Charge points", together ? "live each run as one" : "each its own course"],
    ["Pauses", typeof pause === "number" ? `${plain(pause)} s` : `${plain(pause.from)} to ${plain(pause.to)} s`],
  ];
}

/** Return the runs of mixes among those of scenarios, in the form of these, the newest first. */
export function withMixRuns(runs, mixRuns, mixes) {
  const of = mixRuns.map(({ mix_run_id: id, name, runs: begun, ...run }) => ({
    ...run,
    run_id: id,
    mix: true,
    begun,
    scenario: name,
    title: mixes.find((mix) => mix.name === name)?.title ?? sentence(name),
  }));
  return [...runs, ...of].sort((a, b) => (b.started_at ?? "").localeCompare(a.started_at ?? ""));
}
