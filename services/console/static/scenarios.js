// The scenarios: choose one, choose charge points, start, stop, stop all.

import { ask } from "./api.js";
import { byId, element, setText } from "./dom.js";
import { instant, plural, sentence } from "./words.js";

const ENDED_SHOWN = 3;

export class ScenariosView {
  title = "Scenarios";

  #targets = new Set();
  #touched = false;
  #busy = false;

  constructor(root, { model }) {
    Object.assign(this, { root, model });
    byId("scenario").addEventListener("change", () => this.#describe());
    byId("scenario-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start();
    });
    byId("stop-all").addEventListener("click", () => this.#stopAll());
    byId("scenario-targets").addEventListener("change", ({ target }) => {
      this.#touched = true;
      if (target.checked) this.#targets.add(target.value);
      else this.#targets.delete(target.value);
      this.#enable();
    });
    byId("run-list").addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (button) this.#stop(button.dataset.run);
    });
  }

  /** The charge point from whose page a person comes is chosen, until they choose others. */
  show({ chargePointId }) {
    if (chargePointId && !this.#touched) this.#targets = new Set([chargePointId]);
  }

  hide() {}

  render(changed) {
    if (!changed.scenarios && !changed.services && !changed.fleet) return;
    this.#renderChoices();
    this.#renderTargets();
    this.#renderRuns();
    this.#enable();
  }

  #renderChoices() {
    const select = byId("scenario");
    const scenarios = this.model.scenarios ?? [];
    const names = JSON.stringify(scenarios.map((scenario) => scenario.name));
    if (select.dataset.names !== names) {
      const chosen = select.value;
      select.dataset.names = names;
      select.replaceChildren(
        ...scenarios.map(({ name, title }) => element("option", { value: name, text: title || sentence(name) })),
      );
      if (scenarios.some(({ name }) => name === chosen)) select.value = chosen;
    }
    this.#describe();
  }

  #describe() {
    const chosen = this.model.scenarios?.find(({ name }) => name === byId("scenario").value);
    setText(byId("scenario-description"), chosen?.description ?? "");
    byId("scenario-description").title = chosen?.description ?? "";
  }

  #renderTargets() {
    const chargePoints = this.model.chargePoints();
    const box = byId("scenario-targets");
    const shown = JSON.stringify([...chargePoints].map(([id, csms]) => [id, csms.enrolled]));
    if (box.dataset.shown !== shown) {
      const focused = box.contains(document.activeElement) ? document.activeElement.value : null;
      box.dataset.shown = shown;
      box.replaceChildren(...[...chargePoints].map(([id, csms]) => target(id, csms)));
      if (focused !== null) [...box.querySelectorAll("input")].find((input) => input.value === focused)?.focus();
    }
    for (const input of box.querySelectorAll("input")) input.checked = this.#targets.has(input.value);
  }

  #renderRuns() {
    const runs = this.model.runs ?? [];
    const running = runs.filter((run) => run.state === "running");
    const ended = runs.filter((run) => run.state !== "running").slice(0, ENDED_SHOWN);
    const list = byId("run-list");
    const shown = JSON.stringify([running, ended, this.model.works("csms")]);
    if (list.dataset.shown !== shown) {
      const focused = list.contains(document.activeElement) ? document.activeElement.dataset.run : null;
      list.dataset.shown = shown;
      list.replaceChildren(...[...running, ...ended].map((run) => this.#run(run)));
      if (focused) (list.querySelector(`[data-run="${CSS.escape(focused)}"]`) ?? byId("stop-all")).focus();
    }
    byId("runs-empty").hidden = list.children.length > 0;
  }

  #run(run) {
    const stillRuns = run.state === "running";
    const since = run.started_at ? ` since ${instant(new Date(run.started_at))}` : "";
    const title = this.#title(run.scenario);
    const where = run.charge_point_ids.join(", ");
    const state = stillRuns ? `${plural(run.cycles, "cycle")}${since}` : [run.state, run.reason].filter(Boolean).join(": ");
    const children = [
      element("div", {
        children: [
          element("p", { className: "run-title", title, text: title }),
          element("p", { className: "run-state", title: where, text: `${where} \u00B7 ${state}` }),
        ],
      }),
    ];
    if (stillRuns) {
      const button = element("button", { className: "button", type: "button", text: "Stop", "data-run": run.run_id, "aria-label": `Stop ${title} on ${where}` });
      button.disabled = !this.model.works("csms");
      children.push(button);
    }
    return element("li", { className: `run ${run.state}`, children });
  }

  #title(name) {
    return this.model.scenarios?.find((scenario) => scenario.name === name)?.title || sentence(name);
  }

  #enable() {
    const there = this.model.works("csms") && !this.#busy;
    const known = [...this.#targets].some((id) => this.model.chargePoints().has(id));
    byId("stop-all").disabled = !there;
    byId("scenario-start").disabled = !(there && known && byId("scenario").value);
  }

  #start() {
    const scenario = byId("scenario").value;
    const known = this.model.chargePoints();
    const chargePointIds = [...this.#targets].filter((id) => known.has(id));
    const wish = { scenario, charge_point_ids: chargePointIds, replace: byId("scenario-replace").checked };
    this.#perform(`Starting ${this.#title(scenario)}\u2026`, async () => {
      await ask("POST", "/api/scenario-runs", wish);
      return `Started ${this.#title(scenario)} on ${chargePointIds.join(", ")}.`;
    });
  }

  #stop(runId) {
    this.#perform("Stopping\u2026", async () => {
      const run = await ask("DELETE", `/api/scenario-runs/${encodeURIComponent(runId)}`);
      return `Stopped ${this.#title(run.scenario)} on ${run.charge_point_ids.join(", ")}.`;
    });
  }

  #stopAll() {
    this.#perform("Stopping everything\u2026", async () => {
      const stopped = await ask("POST", "/api/stop-all");
      const transactions = stopped.stopped_transactions ?? 0;
      return `Stopped ${plural(stopped.stopped_runs ?? 0, "run")} and ${plural(transactions, "transaction")}.`;
    });
  }

  async #perform(before, action) {
    const message = byId("scenario-message");
    this.#busy = true;
    this.#enable();
    message.className = "message";
    setText(message, before);
    try {
      setText(message, await action());
    } catch (error) {
      message.className = "message refused";
      setText(message, error.message);
    }
    this.#busy = false;
    this.#enable();
  }
}

function target(id, csms) {
  const input = element("input", { type: "checkbox", value: id });
  const words = csms.enrolled ? id : `${id} (not enrolled)`;
  return element("label", { className: "target", children: [input, element("span", { text: words })] });
}
