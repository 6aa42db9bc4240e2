// The runs of scenarios: what runs now first, with its progress; then what ended, and why.

import { byId, element, icon, setText } from "./dom.js";
import { chargePointLinks, parametersText } from "./run-words.js";
import { duration, instant, period, plural, sentence } from "./words.js";

const SHOWN = 40;
const STATES = {
  running: ["charging", "Running"],
  finished: ["ok", "Finished"],
  stopped: ["pause", "Stopped"],
  failed: ["away", "Failed"],
};

export class RunList {
  #items = new Map();
  #search = element("input", { type: "search", placeholder: "Filter by scenario or charge point", "aria-label": "Filter runs by scenario or charge point" });
  #list = element("ul", { id: "run-list", className: "run-list", "aria-label": "Runs" });
  #empty = element("p", { id: "runs-empty", className: "empty" });
  #last = { runs: [], scenarios: [], there: false, nowS: 0 };

  root = element("div", { className: "runs", children: [element("div", { className: "runs-tools", children: [this.#search] }), this.#list, this.#empty] });

  /** `onStop(run)` is called when a person wants a run to stop. */
  constructor(onStop) {
    this.#search.addEventListener("input", () => this.#show());
    this.#list.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      const run = button && this.#last.runs.find(({ run_id: id }) => id === button.dataset.run);
      if (run) onStop(run);
    });
  }

  /** Show {runs, scenarios, there, nowS}; `there`: the CSMS is, which stops them. */
  render(known) {
    this.#last = known;
    this.#show();
  }

  #show() {
    const { runs, there, nowS } = this.#last;
    const words = this.#search.value.toLowerCase().trim();
    const found = runs.filter((run) => this.#matches(run, words));
    const inOrder = [...found.filter((run) => run.state === "running"), ...found.filter((run) => run.state !== "running")];
    const shown = inOrder.slice(0, SHOWN);
    const keep = new Set(shown.map(({ run_id: id }) => id));
    const focused = this.#list.contains(document.activeElement) ? document.activeElement : null;
    for (const [id, item] of this.#items) {
      if (keep.has(id)) continue;
      item.root.remove();
      this.#items.delete(id);
    }
    shown.forEach((run, n) => {
      const item = this.#items.get(run.run_id) ?? { root: element("li"), made: "" };
      this.#items.set(run.run_id, item);
      this.#fill(item, run);
      setText(item.progress, progress(run, nowS));
      if (item.stop) item.stop.disabled = !there;
      if (this.#list.children[n] !== item.root) this.#list.insertBefore(item.root, this.#list.children[n] ?? null);
    });
    // A run that stopped takes its button along; who pressed it goes on from the next.
    if (focused && !focused.isConnected) (this.#list.querySelector("button") ?? byId("stop-all")).focus();
    const more = inOrder.length - shown.length;
    setText(this.#empty, more > 0 ? `${plural(more, "more run")}: filter to find one.` : shown.length ? "" : runs.length ? "No run passes the filter." : "No scenario runs.");
    this.#empty.hidden = !this.#empty.textContent;
  }

  #matches(run, words) {
    if (!words) return true;
    const said = [this.#title(run), run.state, ...run.charge_point_ids].join(" ").toLowerCase();
    return words.split(/\s+/).every((word) => said.includes(word));
  }

  #title(run) {
    return run.title ?? (this.#scenarioOf(run)?.title || sentence(run.scenario));
  }

  #scenarioOf(run) {
    return this.#last.scenarios?.find(({ name }) => name === run.scenario);
  }

  /** Make an item's content anew when more than its progress is another. */
  #fill(item, run) {
    const made = JSON.stringify([run.state, run.reason, run.charge_point_ids, run.parameters, run.seed, this.#title(run)]);
    if (item.made === made) return;
    item.made = made;
    const title = this.#title(run);
    const [iconName, word] = STATES[run.state] ?? ["unknown", sentence(run.state)];
    item.progress = element("span");
    item.stop = null;
    const head = [element("p", { className: "run-title", text: title })];
    if (run.state === "running") {
      const where = run.charge_point_ids.length > 3 ? plural(run.charge_point_ids.length, "charge point") : run.charge_point_ids.join(", ");
      item.stop = element("button", { type: "button", className: "button small", text: "Stop", "data-run": run.run_id, "aria-label": `Stop ${title} on ${where}` });
      head.push(item.stop);
    }
    const choices = [parametersText(changed(run, this.#scenarioOf(run)), this.#scenarioOf(run)), run.seed ? `seed\u00A0${run.seed}` : ""].filter(Boolean).join(", ");
    item.root.className = `run ${run.state}`;
    item.root.replaceChildren(
      element("div", { className: "run-head", children: head }),
      element("p", {
        className: "run-where",
        children: [element("span", { className: `run-word ${run.state}`, children: [icon(iconName), word] }), " on ", ...chargePointLinks(run.charge_point_ids)],
      }),
      element("p", { className: "run-state", children: [item.progress, ...(choices ? [` \u00B7 ${choices}`] : [])] }),
      ...(run.reason ? [element("p", { className: "run-reason", children: [icon("warning"), element("span", { text: run.reason })] })] : []),
    );
  }
}

/** Return the parameters that are not the scenario's defaults. */
function changed(run, scenario) {
  return Object.fromEntries(Object.entries(run.parameters ?? {}).filter(([name, value]) => scenario?.parameters?.[name]?.default !== value));
}

function progress(run, nowS) {
  const started = run.started_at ? new Date(run.started_at) : null;
  // A frame sent by hand is one instant, and nothing that goes round.
  if (started && "can_id" in (run.parameters ?? {})) return instant(started);
  const cycles = run.mix ? plural(run.begun ?? 0, "run") : plural(run.cycles ?? 0, "cycle");
  if (!started) return cycles;
  if (run.state === "running") return `${cycles} since ${instant(started)}, ${duration(Math.max(0, nowS - started / 1000))}`;
  return `${cycles}, ${run.ended_at ? period(started, new Date(run.ended_at)) : instant(started)}`;
}
