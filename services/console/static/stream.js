// The stream of Server-Sent Events: opened again by itself, with the server's clock estimated from it.

const SILENCE_MS = 8000;
const RETRY_MS = 1500;
const CLOCK_MESSAGES = 20;
const KINDS = ["snapshot", "update", "heartbeat", "detail", "log"];

export class Stream {
  #source = null;
  #watchdog = 0;
  #offsets = [];
  #query = "";
  #listeners = new Map([...KINDS, "connected"].map((kind) => [kind, new Set()]));

  connected = false;

  constructor(path) {
    this.path = path;
  }

  /** Listen to a kind of message, or to `connected`; returns the function that takes the listener off again. */
  on(kind, listener) {
    this.#listeners.get(kind).add(listener);
    return () => this.#listeners.get(kind).delete(listener);
  }

  /** Follow a connector in detail, its messages too when `log`; without one only the fleet. */
  follow({ chargePointId = null, connector = null, log = false } = {}) {
    const query = new URLSearchParams();
    if (chargePointId !== null) query.set("charge_point_id", chargePointId);
    if (chargePointId !== null && connector) query.set("connector", connector);
    if (chargePointId !== null && log) query.set("log", "true");
    if (this.#source && String(query) === this.#query) return;
    this.#query = String(query);
    this.#open();
  }

  /** Return the server's present time in seconds since the epoch. */
  nowS() {
    // The message with the least delay came closest to the server's clock.
    const offset = this.#offsets.length ? Math.max(...this.#offsets) : Date.now() / 1000 - performance.now() / 1000;
    return performance.now() / 1000 + offset;
  }

  #open() {
    this.#source?.close();
    const source = new EventSource(this.#query ? `${this.path}?${this.#query}` : this.path);
    this.#source = source;
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => this.#take(kind, JSON.parse(event.data)));
    }
    source.addEventListener("error", () => {
      if (source !== this.#source) return;
      this.#say(false);
      // The browser tries again by itself, unless it was answered with an error.
      if (source.readyState === EventSource.CLOSED) this.#again(RETRY_MS);
    });
    this.#again(SILENCE_MS);
  }

  #again(delayMs) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      this.#say(false);
      this.#open();
    }, delayMs);
  }

  #take(kind, message) {
    this.#again(SILENCE_MS);
    if (message.now_s) {
      this.#offsets.push(message.now_s - performance.now() / 1000);
      if (this.#offsets.length > CLOCK_MESSAGES) this.#offsets.shift();
    }
    this.#say(true);
    this.#tell(kind, message);
  }

  #say(connected) {
    if (connected === this.connected) return;
    this.connected = connected;
    this.#tell("connected", connected);
  }

  #tell(kind, message) {
    for (const listener of [...this.#listeners.get(kind)]) listener(message);
  }
}
