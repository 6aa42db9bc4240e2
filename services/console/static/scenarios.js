// The scenarios: choose one, set its parameters, choose charge points, start; watch what runs, stop it.

import { AnswerLine } from "./answer-line.js";
import { ChargePointPicker } from "./charge-point-picker.js";
import { element, fill, setText, terms } from "./dom.js";
import { ParameterForm } from "./parameter-form.js";
import { RunList } from "./runs.js";
import { plural, sentence } from "./words.js";

const PROGRESS_MS = 1000;
const NAMED = 3;

export class ScenariosView {
  title = "Scenarios";

  #chosen = null;
  #busy = false;
  #timer = 0;
  #parameters = new ParameterForm();
  #picker = new ChargePointPicker(() => this.#enable());
  #runs = new RunList((run) => this.#stop(run));
  #list = element("div", { id: "scenario-list", className: "scenario-list", role: "radiogroup", "aria-label": "Scenario" });
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
        children: [element("h1", { id: "scenarios-title", "data-heading": "", tabindex: "-1", text: "Scenarios" }), this.#list],
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
    this.#list.addEventListener("change", ({ target }) => this.#choose(target.value));
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
    return this.model.scenario(this.#chosen);
  }

  #titleOf(name) {
    return this.model.scenario(name)?.title || sentence(name);
  }

  #renderChoice() {
    const scenarios = this.model.scenarios ?? [];
    const shown = JSON.stringify(scenarios);
    if (this.#list.dataset.shown !== shown) {
      const focused = this.#list.contains(document.activeElement);
      this.#list.dataset.shown = shown;
      if (!this.#scenario) this.#chosen = scenarios[0]?.name ?? null;
      this.#list.replaceChildren(...scenarios.map((scenario) => choice(scenario, scenario.name === this.#chosen)));
      if (focused) this.#list.querySelector(":checked")?.focus();
    }
    if (this.#scenario) this.#describe(this.#scenario);
    else setText(this.#name, this.model.works("csms") ? "The CSMS has no scenario" : "The CSMS is away, which has the scenarios");
  }

  #choose(name) {
    this.#chosen = name;
    this.#answer.say("");
    this.#describe(this.#scenario);
    this.#enable();
  }

  #describe(scenario) {
    setText(this.#name, this.#titleOf(scenario.name));
    setText(this.#description, scenario.description ?? "");
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
    this.#runs.render({ runs: model.runs ?? [], scenarios: model.scenarios, there: model.works("csms"), nowS: this.stream.nowS() });
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
    const wish = { scenario: this.#chosen, charge_point_ids: this.#picker.chosen, ...chosen, replace: this.#replace.checked };
    const title = this.#titleOf(wish.scenario);
    this.#perform(`Starting ${title}\u2026`, async () => {
      await this.ask("POST", "/api/scenario-runs", wish);
      return `Started ${title} on ${names(wish.charge_point_ids)}.`;
    });
  }

  #stop({ run_id: runId }) {
    this.#perform("Stopping\u2026", async () => {
      const run = await this.ask("DELETE", `/api/scenario-runs/${encodeURIComponent(runId)}`);
      return `Stopped ${this.#titleOf(run.scenario)} on ${names(run.charge_point_ids)}.`;
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

function choice({ name, title, imitates, description, anomaly }, chosen) {
  const input = element("input", { type: "radio", name: "scenario", value: name });
  input.checked = chosen;
  return element("label", {
    className: `choice ${anomaly ? "attack" : "benign"}`,
    children: [
      input,
      element("span", { className: "choice-title", text: title || sentence(name) }),
      element("span", { className: "choice-says", text: imitates || description || "" }),
    ],
  });
}

function names(chargePointIds) {
  const more = chargePointIds.length - NAMED;
  return more > 0 ? `${chargePointIds.slice(0, NAMED).join(", ")} and ${more} more` : chargePointIds.join(", ");
}
