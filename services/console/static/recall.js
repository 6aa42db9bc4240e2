// Anomalies of the past, asked from the MemoryBank when there is a reason to, which the model then learns.

const AGAIN_MS = 3000;

export class Recall {
  #wanted = null;
  #done = null;
  #asking = false;
  #again = 0;
  #off = [];

  /** Why the past is not known, in words for people; "" when it is. */
  trouble = "";

  constructor({ model, stream, ask }) {
    Object.assign(this, { model, stream, ask });
  }

  /** Want what a path answers, from now on: again when an anomaly ended, and after the stream was away. */
  start(path) {
    this.stop();
    this.#wanted = path;
    this.#off = [
      this.stream.on("snapshot", () => (this.#done = null)),
      this.stream.on("update", ({ anomalies = [] }) => {
        if (anomalies.some((anomaly) => anomaly.phase === "closed")) this.#done = null;
      }),
    ];
  }

  stop() {
    clearTimeout(this.#again);
    for (const off of this.#off) off();
    this.#off = [];
    this.#wanted = this.#done = null;
    this.trouble = "";
  }

  /** Ask, if there is a reason to; call it as often as you like. */
  render() {
    if (!this.model.works("memorybank")) {
      this.#done = null;
      this.trouble = "The MemoryBank is away.";
    } else if (this.#done !== this.#wanted && !this.#asking) {
      this.#ask();
    }
  }

  async #ask() {
    const path = (this.#done = this.#wanted);
    this.#asking = true;
    let trouble = "";
    try {
      for (const anomaly of (await this.ask("GET", path)).items) this.model.learn(anomaly);
    } catch (error) {
      trouble = error.message;
    }
    this.#asking = false;
    if (path !== this.#wanted) return;
    this.trouble = trouble;
    if (trouble) {
      this.#again = setTimeout(() => {
        this.#done = null;
        this.model.onChange();
      }, AGAIN_MS);
    }
    this.model.changed.anomalies = true;
    this.model.onChange();
  }
}
