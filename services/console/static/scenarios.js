// The scenarios: choose one or a mix, set parameters, choose charge points, start; watch what runs, stop it.

import { AnswerLine } from "./answer-line.js";
import { ChargePointPicker } from "./charge-point-picker.js";
import { element, fill, setText, terms } from "./dom.js";
import { mixFacts, mixParameters, withMixRuns } from "./mixes.js";
import { ParameterForm } from "./parameter-form.js";
import { RunList } from "./runs.js";
import { ScenarioChoice } from "./scenario-choice.js";
import { plural, sentence } from "./words.js";

const PROGRESS_MS = 1000;
const NAMED = 3;

export class ScenariosView {
  title = "Scenarios";

  #busy = false;
  #timer = 0;
  #parameters = new ParameterForm();
  #picker = new ChargePointPicker(() => this.#enable());
  #runs = new RunList((run) => this.#stop(run));
  #choice = new ScenarioChoice(() => this.#choose());
  #name = element("h2", { id: "scenario-name" });
  #description = element("p", { id: "scenario-description", className: "description" });
  #facts = element("dl", { className: "facts-list" });
  #replace = element("input", { id: "scenario-replace", type: "checkbox", checked: "" });
  #start = element("button", { id: "scenario-start", className: "primary", text: "Start" });
  #reset = element("button", { type: "button", className: "button small", text: "Defaults" });
  #stopAll = element("button", { id: "stop-all", type: "button", className: "danger small", text: "Stop all" });
  #answer = new AnswerLine("scenario-message");

  constructor(root, { model, ask, stream }) {
    Object.assign(this, { root, model, ask, stream });
    const form = element("form", {
      id: "scenario-form",
      className: "panel scenario-form",
      novalidate: "",
      "aria-labelledby": "scenario-name",
      children: [
        element("div", {
          className: "scenario-chosen",
          children: [
            this.#name,
            this.#description,
            this.#facts,
            element("div", {
              className: "scenario-set",
              children: [
                element("fieldset", {
                  className: "parameter-set",
                  children: [element("legend", { text: "Parameters" }), this.#reset, this.#parameters.root],
                }),
                this.#picker.root,
              ],
            }),
          ],
        }),
        element("div", {
          className: "start",
          children: [element("label", { className: "check", children: [this.#replace, "Replace what runs there"] }), this.#start],
        }),
        this.#answer.root,
      ],
    });
    root.replaceChildren(
      element("div", {
        className: "panel scenario-choice",
        children: [element("h1", { id: "scenarios-title", "data-heading": "", tabindex: "-1", text: "Scenarios" }), this.#choice.root],
      }),
      form,
      element("section", {
        className: "panel scenario-runs",
        "aria-labelledby": "runs-title",
        children: [
          element("div", { className: "panel-head", children: [element("h2", { id: "runs-title", text: "Runs" }), this.#stopAll] }),
          this.#runs.root,
        ],
      }),
    );
    this.#reset.addEventListener("click", () => this.#parameters.reset());
    this.#stopAll.addEventListener("click", () => this.#stopEverything());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#startRun();
    });
  }

  /** From whose page a person comes, that charge point is chosen. */
  show({ chargePointId }) {
    if (chargePointId) this.#picker.choose([chargePointId]);
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#renderRuns(), PROGRESS_MS);
  }

  hide() {
    clearInterval(this.#timer);
  }

  render(changed) {
    if (!changed.scenarios && !changed.services && !changed.fleet) return;
    this.#renderChoice();
    this.#picker.render(this.model.chargePoints());
    this.#renderRuns();
    this.#enable();
  }

  get #scenario() {
    return this.#choice.chosen;
  }

  #titleOf(name) {
    return this.model.scenario(name)?.title || sentence(name);
  }

  #renderChoice() {
    this.#choice.render(this.model.scenarios ?? [], this.model.mixes ?? []);
    if (this.#scenario) this.#describe(this.#scenario);
    else setText(this.#name, this.model.works("csms") ? "The CSMS has no scenario" : "The CSMS is away, which has the scenarios");
  }

  #choose() {
    this.#answer.say("");
    this.#describe(this.#scenario);
    this.#enable();
  }

  #describe(scenario) {
    const title = scenario.title || sentence(scenario.name);
    setText(this.#name, scenario.number ? `${scenario.number} ${title}` : title);
    setText(this.#description, scenario.description ?? "");
    if (scenario.runs) {
      const said = mixFacts(scenario, (name) => this.#titleOf(name));
      fill(this.#facts, said, () => terms(said));
      this.#parameters.show({ name: `mix/${scenario.name}`, parameters: mixParameters(scenario) });
      return;
    }
    const facts = [
      ["Imitates", scenario.imitates],
      ["Source", scenario.source],
      ["Ground truth", scenario.anomaly ? sentence(scenario.anomaly) : "benign: whatever is detected is a false alarm"],
    ].filter(([, words]) => words);
    fill(this.#facts, facts, () => terms(facts));
    this.#parameters.show(scenario);
  }

  #renderRuns() {
    const { model } = this;
    const runs = withMixRuns(model.runs ?? [], model.mixRuns ?? [], model.mixes ?? []);
    this.#runs.render({ runs, scenarios: model.scenarios, there: model.works("csms"), nowS: this.stream.nowS() });
  }

  #enable() {
    const there = this.model.works("csms") && !this.#busy;
    const count = this.#picker.chosen.length;
    this.#stopAll.disabled = !there;
    this.#start.disabled = !there || count === 0 || !this.#scenario;
    setText(this.#start, count > 1 ? `Start on ${count} charge points` : "Start");
    this.#start.title = count === 0 ? "Choose a charge point first" : "";
  }

  #startRun() {
    const chosen = this.#parameters.values();
    if (!chosen) {
      this.#answer.say("A parameter is out of its range; nothing was started.", true);
      return;
    }
    const { name, title: given, runs } = this.#scenario;
    const title = given || sentence(name);
    const what = runs ? { mix: name, ...chosen.parameters, seed: chosen.seed } : { scenario: name, ...chosen };
    const wish = { ...what, charge_point_ids: this.#picker.chosen, replace: this.#replace.checked };
    this.#perform(`Starting ${title}\u2026`, async () => {
      await this.ask("POST", runs ? "/api/mix-runs" : "/api/scenario-runs", wish);
      return `Started ${title} on ${names(wish.charge_point_ids)}.`;
    });
  }

  #stop({ run_id: runId, mix, title, scenario }) {
    this.#perform("Stopping\u2026", async () => {
      const run = await this.ask("DELETE", `/api/${mix ? "mix" : "scenario"}-runs/${encodeURIComponent(runId)}`);
      return `Stopped ${title ?? this.#titleOf(scenario)} on ${names(run.charge_point_ids)}.`;
    });
  }

  #stopEverything() {
    this.#perform("Stopping everything\u2026", async () => {
      const { stopped_runs: runs = 0, stopped_transactions: transactions = 0 } = await this.ask("POST", "/api/stop-all");
      return `Stopped ${plural(runs, "run")} and ${plural(transactions, "transaction")}.`;
    });
  }

  async #perform(before, action) {
    this.#busy = true;
    this.#enable();
    this.#answer.say(before);
    try {
      this.#answer.say(await action());
    } catch (error) {
      this.#answer.say(error.message, true);
    }
    this.#busy = false;
    this.#enable();
  }
}

function names(chargePointIds) {
  const more = chargePointIds.length - NAMED;
  return more > 0 ? `${chargePointIds.slice(0, NAMED).join(", ")} and ${more} more` : chargePointIds.join(", ");
}
