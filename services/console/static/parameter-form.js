// A scenario's parameters as number fields: unit, range and default said, what is out of range named at once.

import { element, setText } from "./dom.js";
import { plain, quantity } from "./run-words.js";

const MOST_SEED = Number.MAX_SAFE_INTEGER;
const SEED = { default: 0, unit: "", minimum: 0, maximum: MOST_SEED, whole: true, description: "The same seed draws the same times" };

export class ParameterForm {
  #typed = new Map();
  #scenario = null;
  #fields = [];

  root = element("div", { className: "parameters" });

  /** Show a scenario's parameters, with what was typed for it before. */
  show(scenario) {
    const shown = JSON.stringify([scenario.name, scenario.parameters]);
    if (this.root.dataset.shown === shown) return;
    this.root.dataset.shown = shown;
    this.#scenario = scenario.name;
    const typed = this.#typed.get(scenario.name) ?? {};
    this.#fields = [...Object.entries(scenario.parameters ?? {}), ["seed", SEED]].map(([name, parameter]) => this.#field(name, parameter, typed[name]));
    this.root.replaceChildren(...this.#fields.map(({ root }) => root));
  }

  /** Return {parameters, seed}: what differs from the defaults; null when a field is wrong, which takes the focus. */
  values() {
    const wrong = this.#fields.filter((field) => this.#check(field));
    if (wrong.length) {
      wrong[0].input.focus();
      return null;
    }
    const given = Object.fromEntries(this.#fields.map(({ name, input }) => [name, Number(input.value)]));
    const { seed, ...parameters } = given;
    return { parameters, seed };
  }

  /** Go back to the defaults. */
  reset() {
    this.#typed.delete(this.#scenario);
    for (const field of this.#fields) {
      field.input.value = String(field.parameter.default);
      this.#check(field);
    }
  }

  #field(name, parameter, typed) {
    const id = `parameter-${name}`;
    const [word, unit] = [quantity(name)[0], parameter.unit];
    const input = element("input", {
      id,
      type: "number",
      step: "any",
      min: String(parameter.minimum),
      max: String(parameter.maximum),
      required: "",
      "aria-describedby": `${id}-says ${id}-wrong`,
    });
    input.value = typed ?? String(parameter.default);
    const field = { name, parameter, input, wrong: element("p", { id: `${id}-wrong`, className: "field-wrong" }) };
    input.addEventListener("input", () => {
      this.#typed.set(this.#scenario, { ...this.#typed.get(this.#scenario), [name]: input.value });
      this.#check(field);
    });
    field.root = element("div", {
      className: "field parameter",
      children: [
        element("label", { for: id, text: `${word}${unit ? ` (${unit})` : ""}` }),
        input,
        element("p", { id: `${id}-says`, className: "field-says", children: says(name, parameter) }),
        field.wrong,
      ],
    });
    this.#check(field);
    return field;
  }

  /** Return what is wrong with a field, having said it beside it. */
  #check({ parameter, input, wrong }) {
    const message = problem(input.value, parameter);
    setText(wrong, message);
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    return message;
  }
}

/** Return what is wrong with a value that was typed, or "". */
function problem(typed, { minimum, maximum, unit, whole = false }) {
  const value = Number(typed);
  if (typed.trim() === "" || !Number.isFinite(value)) return "A number is needed here.";
  if (whole && !Number.isInteger(value)) return "A whole number is needed here.";
  if (value < minimum || value > maximum) {
    return maximum === MOST_SEED ? "It must be 0 or more, and at most 9007199254740991." : `It must be from ${plain(minimum)} to ${plain(maximum)}${unit && ` ${unit}`}.`;
  }
  return "";
}

function says(name, { minimum, maximum, unit, description, default: usual }) {
  const range = name === "seed" ? "" : `${plain(minimum)} to ${plain(maximum)}${unit && ` ${unit}`}, usually ${plain(usual)}`;
  return [description ?? "", ...(range ? [element("br"), range] : [])];
}
