// The lines of a message log: bounded, in the order of time, held back while paused.

import { insert } from "./in-time.js";

export const LINES = 2000;
const timeOf = (entry) => entry.at_s;

const NAMES_OF_TROUBLE = /\.error$|\(unreadable\)|error|fail|lost|offline/i;
const WORDS_OF_TROUBLE = new RegExp(
  "\\b(rejected|refused|faulted|failed|timeout|connectionlost|offline|notsupported|notimplemented|unlockfailed|" +
    "blocked|invalid|expired|concurrenttx)\\b|\\b(?!NoError)\\w+(error|failure|violation)\\b",
  "i",
);

export class LogBuffer {
  #serial = 0;

  constructor(bound = LINES) {
    this.bound = bound;
    this.clear();
  }

  clear() {
    this.lines = [];
    this.waiting = [];
    /** Lines that the server or a long pause left out. */
    this.dropped = 0;
    this.paused = false;
  }

  /** Take a message of the stream. History that comes again, after a reconnection, is passed over. */
  take({ entries, past, dropped = 0 }) {
    this.dropped += dropped;
    const fresh = past ? entries.filter((entry) => entry.at_s > this.#newestS(entry.layer)) : entries;
    const target = this.paused ? this.waiting : this.lines;
    for (const entry of fresh) insert(target, { ...entry, key: (this.#serial += 1), trouble: isTrouble(entry) }, timeOf);
    const excess = target.length - this.bound;
    if (excess <= 0) return;
    target.splice(0, excess);
    if (this.paused) this.dropped += excess;
  }

  pause() {
    this.paused = true;
  }

  /** Show what waited, too. */
  resume() {
    this.paused = false;
    for (const entry of this.waiting) insert(this.lines, entry, timeOf);
    this.waiting = [];
    this.lines.splice(0, Math.max(0, this.lines.length - this.bound));
  }

  /** Return the lines that a filter lets through, oldest first. */
  matching(filter) {
    const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
    return this.lines.filter(
      (entry) =>
        filter.layers.has(entry.layer) &&
        (!filter.troubleOnly || entry.trouble) &&
        (words.length === 0 || words.every((word) => `${entry.name} ${entry.text}`.toLowerCase().includes(word))),
    );
  }

  #newestS(layer) {
    const known = [...this.waiting, ...this.lines].filter((entry) => entry.layer === layer);
    return known.length ? Math.max(...known.map((entry) => entry.at_s)) : -Infinity;
  }
}

/** Return whether a line tells of something that went wrong. */
export function isTrouble({ malformed, layer, name, text }) {
  if (malformed) return true;
  // A module names its faults; a frame without one has none of these words.
  if (layer === "can") return /\bfaulted\b|faults: /.test(text);
  return NAMES_OF_TROUBLE.test(name) || WORDS_OF_TROUBLE.test(text);
}

/** Return what a line's raw content looks like when a person reads it. */
export function rawText({ layer, raw }) {
  if (layer !== "can") {
    try {
      return JSON.stringify(JSON.parse(raw), null, 2);
    } catch {
      return raw; // cut off, or never JSON
    }
  }
  return raw ? raw.replace(/\s/g, "").replace(/(..)(?=.)/g, "$1 ") : "no data bytes";
}
