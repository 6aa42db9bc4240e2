// The grid of all connectors: only the rows in sight are in the document, whatever their number.

import { LARGEST_FIRST, arranged } from "./grid-order.js";
import { GridRow } from "./grid-row.js";

const ARRANGE_MS = 1000;
const HOLD_MS = 2000;
const SPARE_ROWS = 4;

export class Grid {
  /** What is looked for: {words, filter, column, descending}. */
  wish = { words: "", filter: "all", column: "identity", descending: false };

  #order = [];
  #shown = new Map();
  #free = [];
  #activeKey = null;
  #height = 40;
  #stale = true;
  #urgent = true;
  #arrangedAt = -Infinity;
  #pointedAt = -Infinity;
  #timer = 0;

  /** `root` has the head, the scrolling part and the rows; `onOpen(row)` is called when a person chooses one. */
  constructor(root, { model, stream }, onOpen) {
    Object.assign(this, { root, model, stream, onOpen });
    this.scroller = root.querySelector(".grid-body");
    this.body = root.querySelector(".grid-rows");
    this.scroller.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    this.scroller.addEventListener("pointermove", () => (this.#pointedAt = performance.now()), { passive: true });
    this.scroller.addEventListener("pointerleave", () => (this.#pointedAt = -Infinity));
    new ResizeObserver(() => this.#measure()).observe(this.scroller);
    this.body.addEventListener("click", (event) => this.#onClick(event));
    this.body.addEventListener("focusin", ({ target }) => {
      const key = target.closest(".grid-row")?.dataset.key;
      if (key) this.#activate(key);
    });
    this.body.addEventListener("keydown", (event) => this.#onKey(event));
    root.querySelector(".grid-head").addEventListener("click", ({ target }) => {
      const column = target.closest("button")?.dataset.column;
      if (column) this.#sortBy(column);
    });
    this.#markSort();
  }

  get count() {
    return this.#order.length;
  }

  /** Look for something else: changes of `wish`. */
  look(change) {
    Object.assign(this.wish, change);
    this.#urgent = true;
    this.scroller.scrollTop = 0;
    this.#markSort();
    this.#ask();
  }

  /** Show what changed; rows move at most once a second, and not under a pointer that is aiming. */
  render(changed) {
    const nowS = this.stream.nowS();
    if (changed.fleet) this.#urgent = true;
    if (changed.keys.size || changed.anomalies || changed.services || this.wish.column === "age") this.#stale = true;
    this.#arrange(nowS);
    this.#layOut(nowS);
    const all = changed.fleet || changed.anomalies || changed.services || changed.scenarios;
    for (const [key, shown] of this.#shown) {
      if (all || changed.keys.has(key)) shown.show(this.model.connectors.get(key), this.model, nowS);
    }
  }

  /** Show all rows in sight anew: time has passed. */
  refresh() {
    const nowS = this.stream.nowS();
    for (const [key, shown] of this.#shown) {
      const row = this.model.connectors.get(key);
      if (row) shown.show(row, this.model, nowS);
    }
  }

  #ask() {
    this.model.onChange();
  }

  #onScroll() {
    // The rows of now; what else changed comes with the next frame anyway.
    if (!this.#urgent) this.#layOut(this.stream.nowS());
  }

  #measure() {
    this.#height = parseFloat(getComputedStyle(this.root).getPropertyValue("--row-height")) || 40;
    this.body.style.height = `${this.#order.length * this.#height}px`;
    this.#ask();
  }

  #arrange(nowS) {
    const time = performance.now();
    if (!this.#urgent) {
      if (!this.#stale) return;
      const waitMs = Math.max(this.#arrangedAt + ARRANGE_MS, this.#pointedAt + HOLD_MS) - time;
      if (waitMs > 0) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#ask(), waitMs);
        return;
      }
    }
    this.#urgent = this.#stale = false;
    this.#arrangedAt = time;
    const focused = this.body.contains(document.activeElement);
    const before = this.#order.indexOf(this.#activeKey);
    this.#order = arranged(this.model, this.wish, nowS);
    this.body.style.height = `${this.#order.length * this.#height}px`;
    this.root.setAttribute("aria-rowcount", String(this.#order.length + 1));
    const after = this.#order.indexOf(this.#activeKey);
    // The row that has the focus stays where it is on the screen.
    if (focused && before >= 0 && after >= 0) this.scroller.scrollTop += (after - before) * this.#height;
    if (after < 0) this.#activeKey = this.#order[0] ?? null;
  }

  /** Put the rows in sight into the document. */
  #layOut(nowS) {
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / this.#height) - SPARE_ROWS);
    const last = Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / this.#height) + SPARE_ROWS;
    const places = new Map();
    for (let n = first; n < Math.min(last, this.#order.length); n += 1) places.set(this.#order[n], n);
    // The one that has the focus, or would get it, stays in the document.
    const active = this.#order.indexOf(this.#activeKey);
    if (active >= 0) places.set(this.#activeKey, active);
    // One that is gone leaves the order with the next frame.
    for (const key of places.keys()) if (!this.model.connectors.has(key)) places.delete(key);
    for (const [key, shown] of this.#shown) {
      if (places.has(key)) continue;
      shown.element.remove();
      this.#shown.delete(key);
      this.#free.push(shown);
    }
    for (const [key, place] of places) {
      let shown = this.#shown.get(key);
      if (!shown) {
        shown = this.#free.pop() ?? new GridRow();
        this.#shown.set(key, shown);
        shown.show(this.model.connectors.get(key), this.model, nowS);
      }
      shown.place(place, this.#height, key === this.#activeKey);
    }
    this.#sortDocument(places);
  }

  /** Keep the rows in the document in the order of the screen, without moving the one that has the focus. */
  #sortDocument(places) {
    const wanted = [...places].sort((a, b) => a[1] - b[1]).map(([key]) => this.#shown.get(key).element);
    let cursor = this.body.firstChild;
    for (const row of wanted) {
      while (row !== cursor && row.contains(document.activeElement)) {
        const next = cursor.nextSibling;
        this.body.append(cursor);
        cursor = next;
      }
      if (row === cursor) cursor = cursor.nextSibling;
      else this.body.insertBefore(row, cursor);
    }
  }

  #activate(key) {
    if (key === this.#activeKey) return;
    this.#activeKey = key;
    for (const [one, shown] of this.#shown) shown.element.tabIndex = one === key ? 0 : -1;
  }

  #onClick(event) {
    // The link in it does the same, and opens a tab for who asks for one.
    if (event.target.closest("a") || event.button !== 0) return;
    this.#open(event.target.closest(".grid-row")?.dataset.key);
  }

  #open(key) {
    const row = this.model.connectors.get(key);
    if (row) this.onOpen(row);
  }

  #onKey(event) {
    const at = this.#order.indexOf(this.#activeKey);
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.#height) - 1);
    const last = this.#order.length - 1;
    const target = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: last, PageDown: at + page, PageUp: at - page }[event.key];
    if (event.key === "Enter") this.#open(this.#activeKey);
    if (target === undefined) return;
    event.preventDefault();
    this.#goTo(Math.max(0, Math.min(last, target)));
  }

  #goTo(index) {
    const top = index * this.#height;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + this.#height > scrollTop + clientHeight) this.scroller.scrollTop = top + this.#height - clientHeight;
    this.#activate(this.#order[index]);
    this.#layOut(this.stream.nowS());
    this.#shown.get(this.#activeKey)?.element.focus({ preventScroll: true });
  }

  #sortBy(column) {
    const again = this.wish.column === column;
    this.look({ column, descending: again ? !this.wish.descending : LARGEST_FIRST.has(column) });
  }

  #markSort() {
    const { column, descending } = this.wish;
    for (const button of this.root.querySelectorAll(".grid-head button")) {
      const head = button.closest('[role="columnheader"]');
      if (button.dataset.column === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }
}
