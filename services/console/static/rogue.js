// One CAN frame by hand: what a rogue node on the bus would send.

import { AnswerLine } from "./answer-line.js";
import { FRAMES, MAX_BYTES, encode, frameOf, idText, meaning, parseHex, parseId, signalWord, toHex } from "./can-frames.js";
import { element, setText } from "./dom.js";
import { sentence } from "./words.js";

const FREE = "free";

/** The tab of the charge point's page. */
export class RoguePanel {
  #route = null;
  #busy = false;
  #fields = element("div", { className: "rogue-fields" });
  #choice = element("select", {
    id: "rogue-frame",
    children: [
      ...FRAMES.map(({ id, name, means }) => element("option", { value: String(id), text: `${idText(id)} ${name}: ${means}` })),
      element("option", { value: FREE, text: "Another identifier and bytes" }),
    ],
  });
  #preview = element("p", { id: "rogue-preview", className: "rogue-preview" });
  #bytes = element("code", { className: "rogue-bytes" });
  #send = element("button", { className: "danger", text: "Send" });
  #forbidden = element("p", { className: "rogue-forbidden" });
  #answer = new AnswerLine("rogue-message");

  constructor(root, { ask, model }) {
    Object.assign(this, { ask, model });
    const form = element("form", {
      className: "rogue",
      "aria-label": "One CAN frame by hand",
      children: [
        element("p", {
          className: "rogue-warning",
          text:
            "The frame goes on this connector's bus as a rogue node would send it: the module obeys. It is recorded as ground truth, " +
            "and it works only on the bench's own charge points.",
        }),
        element("label", { className: "field", children: [element("span", { text: "Frame" }), this.#choice] }),
        this.#fields,
        element("div", {
          className: "rogue-foot",
          children: [element("div", { className: "rogue-said", children: [this.#bytes, this.#preview] }), this.#send],
        }),
        this.#forbidden,
      ],
    });
    form.addEventListener("input", ({ target }) => (target === this.#choice ? this.#arrange() : this.#show()));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#sendFrame();
    });
    root.replaceChildren(form, this.#answer.root);
    this.#arrange();
  }

  show(route) {
    if (route.chargePointId !== this.#route?.chargePointId) this.#answer.say("");
    this.#route = route;
    this.#show();
  }

  hide() {}

  render(changed) {
    if (changed.scenarios || changed.services || changed.fleet) this.#show();
  }

  get #connector() {
    return this.#route && this.model.find(this.#route.chargePointId, this.#route.connector);
  }

  #arrange() {
    const frame = frameOf(Number(this.#choice.value));
    const fields = frame ? frame.signals.map(signalField) : [textField("rogue-id", "Identifier (hexadecimal, 000 to 7FF)", "0x123"), textField("rogue-data", `Bytes (hexadecimal, at most ${MAX_BYTES})`, "", "01 A0")];
    this.#fields.replaceChildren(...fields);
    this.#show();
  }

  /** Return {id, bytes} of what is filled in. Throws a RangeError that says what is wrong. */
  #filledIn() {
    const frame = frameOf(Number(this.#choice.value));
    const input = (name) => this.#fields.querySelector(`[name="${name}"]`);
    if (!frame) return { id: parseId(input("rogue-id").value), bytes: parseHex(input("rogue-data").value) };
    const values = Object.fromEntries(
      frame.signals.map(({ name }) => [name, input(name).value.trim() === "" ? NaN : Number(input(name).value)]),
    );
    return { id: frame.id, bytes: encode(frame, values) };
  }

  #show() {
    let wrong = "";
    try {
      const { id, bytes } = this.#filledIn();
      setText(this.#bytes, `${idText(id)} [${bytes.length}] ${toHex(bytes)}`.trim());
      setText(this.#preview, meaning(id, bytes));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      wrong = error.message;
      setText(this.#bytes, "\u2013");
      setText(this.#preview, wrong);
    }
    this.#preview.classList.toggle("wrong", Boolean(wrong));
    const forbidden = this.#whyNot();
    setText(this.#forbidden, forbidden || this.#doubt());
    this.#forbidden.hidden = !this.#forbidden.textContent;
    this.#send.disabled = Boolean(wrong || forbidden) || this.#busy;
  }

  #whyNot() {
    const view = this.#connector;
    if (!view) return "This charge point is not known yet.";
    if (!this.model.works("csms")) return "The CSMS is away, which says what may be attacked.";
    if (view.bus === "none") return "No CAN bus is heard for this connector.";
    return "";
  }

  /** The CSMS decides, which also knows its allow-list. */
  #doubt() {
    const view = this.#connector;
    return view && !view.csms?.enrolled ? `${view.charge_point_id} is not enrolled as the bench's own: unless the CSMS allows it by name, it refuses.` : "";
  }

  async #sendFrame() {
    const { id, bytes } = this.#filledIn();
    const { charge_point_id: chargePointId, connector } = this.#connector;
    const wish = { charge_point_id: chargePointId, connector, can_id: id, data: toHex(bytes).replaceAll(" ", "") };
    this.#busy = true;
    this.#show();
    this.#answer.say(`Sending ${idText(id)}\u2026`);
    try {
      this.#answer.say((await this.ask("POST", "/api/can-frames", wish)).text);
    } catch (error) {
      this.#answer.say(error.message, true);
    }
    this.#busy = false;
    this.#show();
  }
}

function signalField(signal) {
  const label = `${sentence(signalWord(signal))}${signal.unit ? ` (${signal.unit})` : ""}`;
  const input = signal.choices
    ? element("select", {
        name: signal.name,
        children: Object.entries(signal.choices).map(([value, text]) => element("option", { value, text })),
      })
    : element("input", { type: "number", name: signal.name, min: String(signal.min), max: String(signal.max), step: String(signal.factor) });
  input.value = String(signal.initial);
  return element("label", { className: "field", children: [element("span", { text: label }), input] });
}

function textField(name, label, value, placeholder = "") {
  const input = element("input", { type: "text", name, placeholder, spellcheck: "false", autocomplete: "off" });
  input.value = value;
  return element("label", { className: "field", children: [element("span", { text: label }), input] });
}
