// Choosing what to run: the catalogue in its groups, by number, and the mixes; a search.

import { element, setText } from "./dom.js";
import { sentence } from "./words.js";

const GROUPS = [
  ["anomalies", "Anomalies", ({ anomaly }) => Boolean(anomaly)],
  ["hard-negatives", "Hard negatives", ({ hard_negative: hard }) => hard],
  ["benign", "Benign", ({ runs }) => !runs],
  ["mixes", "Mixes", () => true],
];

export class ScenarioChoice {
  #items = [];
  #search = element("input", { type: "search", placeholder: "Search", "aria-label": "Search scenarios" });
  #list = element("div", { id: "scenario-list", className: "scenario-list", role: "radiogroup", "aria-label": "Scenario" });
  #none = element("p", { className: "empty", role: "status" });

  root = element("div", { className: "scenario-catalogue", children: [element("div", { className: "runs-tools", children: [this.#search] }), this.#list, this.#none] });

  /** `onChoose(item)` is called when a person chooses. */
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.chosen = null;
    this.#search.addEventListener("input", () => this.#show());
    this.#list.addEventListener("change", ({ target }) => {
      this.chosen = this.#items.find((item) => keyOf(item) === target.value) ?? null;
      this.onChoose(this.chosen);
    });
  }

  /** Show scenarios and mixes; the first is chosen where none was. */
  render(scenarios, mixes) {
    const items = GROUPS.flatMap(([group, , holds], n) =>
      [...scenarios, ...mixes]
        .filter((item) => holds(item) && GROUPS.slice(0, n).every(([, , earlier]) => !earlier(item)))
        .sort((a, b) => numberOf(a) - numberOf(b))
        .map((item) => ({ ...item, group })),
    );
    if (JSON.stringify(items) === JSON.stringify(this.#items)) return;
    this.#items = items;
    const before = this.chosen && keyOf(this.chosen);
    this.chosen = items.find((item) => keyOf(item) === before) ?? items[0] ?? null;
    this.#show();
  }

  #show() {
    const wanted = this.#search.value.trim().toLowerCase().split(/\s+/);
    const found = this.#items.filter((item) => wanted.every((word) => wordsOf(item).includes(word)));
    const focused = this.#list.contains(document.activeElement);
    this.#list.replaceChildren(
      ...GROUPS.map(([group, title]) => [group, title, found.filter((item) => item.group === group)])
        .filter(([, , members]) => members.length)
        .map(([group, title, members]) =>
          element("div", {
            className: "choice-group",
            role: "group",
            "aria-labelledby": `choice-${group}`,
            children: [element("h2", { id: `choice-${group}`, text: title }), ...members.map((item) => choice(item, item === this.chosen))],
          }),
        ),
    );
    setText(this.#none, this.#items.length && !found.length ? "No scenario is called so." : "");
    this.#none.hidden = !this.#none.textContent;
    if (focused) this.#list.querySelector(":checked")?.focus();
  }
}

/** Return what is called so among scenarios and mixes: no scenario's name has a slash. */
function keyOf(item) {
  return item.runs ? `mix/${item.name}` : item.name;
}

function numberOf({ number }) {
  return Number(/\d+/.exec(number ?? "")?.[0] ?? 100);
}

function wordsOf({ name, number, title, imitates, description }) {
  return [name, number, title, imitates, description].join(" ").toLowerCase();
}

function choice(item, chosen) {
  const { name, number, title, imitates, description } = item;
  const input = element("input", { type: "radio", name: "scenario", value: keyOf(item) });
  input.checked = chosen;
  return element("label", {
    className: "choice",
    children: [
      input,
      element("span", { className: "choice-title", text: `${number ? `${number} ` : ""}${title || sentence(name)}` }),
      element("span", { className: "choice-says", text: imitates || description || "" }),
    ],
  });
}
