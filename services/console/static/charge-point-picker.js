// Choosing charge points, also among a thousand: a search, a bounded list, all and none.

import { element, setText } from "./dom.js";
import { plural, sentence } from "./words.js";

const SHOWN = 60;

export class ChargePointPicker {
  #chosen = new Set();
  #known = new Map();
  #search = element("input", { type: "search", placeholder: "Search", "aria-label": "Search charge points" });
  #all = element("button", { type: "button", className: "button small" });
  #none = element("button", { type: "button", className: "button small", text: "None" });
  #count = element("output", { className: "picker-count" });
  #list = element("div", { id: "scenario-targets", className: "targets" });
  #more = element("p", { className: "picker-more" });

  root = element("fieldset", {
    className: "picker",
    children: [
      element("legend", { text: "On charge points" }),
      element("div", { className: "picker-tools", children: [this.#search, this.#all, this.#none, this.#count] }),
      this.#list,
      this.#more,
    ],
  });

  /** `onChange()` is called when a person chooses. */
  constructor(onChange) {
    this.onChange = onChange;
    this.#search.addEventListener("input", () => this.#show());
    this.#list.addEventListener("change", ({ target }) => {
      if (target.checked) this.#chosen.add(target.value);
      else this.#chosen.delete(target.value);
      this.#changed();
    });
    this.#all.addEventListener("click", () => {
      for (const id of this.#matching()) if (this.#known.get(id).enrolled) this.#chosen.add(id);
      this.#changed();
    });
    this.#none.addEventListener("click", () => {
      this.#chosen.clear();
      this.#changed();
    });
  }

  /** The charge points that are chosen and still known, in order. */
  get chosen() {
    return [...this.#known.keys()].filter((id) => this.#chosen.has(id));
  }

  /** Choose exactly these. */
  choose(ids) {
    this.#chosen = new Set(ids);
    this.#show();
  }

  /** Show the charge points that the CSMS knows: a map of id to {enrolled, connected, scenario}. */
  render(known) {
    this.#known = known;
    this.#show();
  }

  #changed() {
    this.#show();
    this.onChange();
  }

  #matching() {
    const wanted = this.#search.value.trim().toLowerCase();
    return [...this.#known.keys()].filter((id) => id.toLowerCase().includes(wanted));
  }

  #show() {
    const matching = this.#matching();
    const shown = matching.slice(0, SHOWN);
    const able = matching.filter((id) => this.#known.get(id).enrolled).length;
    setText(this.#all, this.#search.value.trim() ? `All ${able} found` : `All ${able}`);
    this.#all.disabled = able === 0;
    this.#none.disabled = this.#chosen.size === 0;
    setText(this.#count, `${plural(this.chosen.length, "charge point")} chosen`);
    setText(this.#more, moreText(matching.length, shown.length, this.#known.size));
    this.#more.hidden = !this.#more.textContent;
    const made = JSON.stringify(shown.map((id) => [id, this.#known.get(id)]));
    if (this.#list.dataset.shown !== made) {
      const focused = this.#list.contains(document.activeElement) ? document.activeElement.value : null;
      this.#list.dataset.shown = made;
      this.#list.replaceChildren(...shown.map((id) => target(id, this.#known.get(id))));
      if (focused !== null) [...this.#list.querySelectorAll("input")].find((input) => input.value === focused)?.focus();
    }
    for (const input of this.#list.querySelectorAll("input")) input.checked = this.#chosen.has(input.value);
  }
}

function moreText(matching, shown, known) {
  if (known === 0) return "The CSMS knows no charge point yet.";
  if (matching === 0) return "No charge point is called so.";
  return matching > shown ? `${matching - shown} more: search for them; \u201CAll\u201D means them, too.` : "";
}

function target(id, { enrolled, connected, scenario }) {
  const input = element("input", { type: "checkbox", value: id });
  input.disabled = !enrolled;
  const state = !enrolled ? "not enrolled as the bench's own" : [!connected && "offline", scenario && sentence(scenario)].filter(Boolean).join(", ");
  return element("label", {
    className: `target ${enrolled ? "" : "foreign"}`,
    children: [input, element("span", { className: "target-name", text: id }), element("span", { className: "target-state", text: state })],
  });
}
