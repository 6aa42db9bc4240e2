// The stream of Server-Sent Events: opened again by itself, with the server's clock estimated from it.

const SILENCE_MS = 8000;
const RETRY_MS = 1500;
const CLOCK_MESSAGES = 20;

export class Stream {
  #source = null;
  #watchdog = 0;
  #offsets = [];

  /** `onMessage(kind, message)` for each snapshot and update; `onState(connected)` when it comes or goes. */
  constructor(url, onMessage, onState) {
    Object.assign(this, { url, onMessage, onState });
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
    const source = new EventSource(this.url);
    this.#source = source;
    for (const kind of ["snapshot", "update", "heartbeat"]) {
      source.addEventListener(kind, (event) => this.#take(kind, JSON.parse(event.data)));
    }
    source.addEventListener("error", () => {
      if (source !== this.#source) return;
      this.onState(false);
      // The browser tries again by itself, unless it was answered with an error.
      if (source.readyState === EventSource.CLOSED) this.#again(RETRY_MS);
    });
    this.#again(SILENCE_MS);
  }

  #again(delayMs) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      this.onState(false);
      this.#open();
    }, delayMs);
  }

  #take(kind, message) {
    this.#again(SILENCE_MS);
    this.#offsets.push(message.now_s - performance.now() / 1000);
    if (this.#offsets.length > CLOCK_MESSAGES) this.#offsets.shift();
    this.onState(true);
    if (kind !== "heartbeat") this.onMessage(kind, message);
  }
}
