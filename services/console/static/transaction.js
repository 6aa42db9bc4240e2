// The transaction that runs: who charges, since when, and how much it was so far, as the MemoryBank counts it.

import { element, icon, setText } from "./dom.js";
import { duration, instant, number } from "./words.js";

const ASK_MS = 10_000;

export class TransactionFacts {
  #asked = null;
  #askedAt = -Infinity;
  #session = null;

  constructor(root, { model, stream, ask }) {
    Object.assign(this, { model, stream, ask });
    this.text = element("span");
    root.replaceChildren(icon("charging"), this.text);
    this.root = root;
  }

  stop() {
    this.#asked = null;
  }

  /** Show the transaction of a detail, null where none runs. */
  render(transaction, chargePointId) {
    this.root.classList.toggle("none", !transaction);
    if (!transaction) {
      setText(this.text, "No transaction");
      return;
    }
    const { transaction_id: id, id_tag: tag, started_at: startedAt } = transaction;
    this.#follow(id, chargePointId);
    const started = new Date(startedAt);
    const lastedS = Math.max(0, this.stream.nowS() - started.getTime() / 1000);
    const energyWh = this.#session?.energy_wh ?? null;
    const energy = energyWh !== null && `${number(energyWh / 1000, energyWh < 10_000 ? 2 : 1)} kWh`;
    const said = [`Transaction ${id}`, tag && `tag ${tag}`, `since ${instant(started)}, ${duration(lastedS)}`, energy];
    setText(this.text, said.filter(Boolean).join(" \u00B7 "));
  }

  async #follow(id, chargePointId) {
    const transaction = JSON.stringify([chargePointId, id]);
    if (transaction !== this.#asked) this.#session = null;
    else if (performance.now() - this.#askedAt < ASK_MS) return;
    if (!this.model.works("memorybank")) return;
    this.#asked = transaction;
    this.#askedAt = performance.now();
    try {
      const path = `/api/sessions?charge_point_id=${encodeURIComponent(chargePointId)}&limit=5`;
      const { items } = await this.ask("GET", path);
      if (transaction !== this.#asked) return;
      this.#session = items.find((session) => String(session.transaction_id) === String(id)) ?? null;
    } catch {
      // The bar says that the MemoryBank is away; the energy is asked for again.
    }
  }
}
