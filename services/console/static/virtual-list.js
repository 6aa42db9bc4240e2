// A list that grows at its end, of which only the rows in sight are in the page: a thousand cost as much as thirty.

import { element } from "./dom.js";

const SPARE_ROWS = 6;
let lists = 0;

export class VirtualList {
  #items = [];
  #rows = new Map();
  #active = null;
  #follows = true;
  #id = `list-${(lists += 1)}`;
  #space = element("div", { role: "presentation", className: "virtual-space" });

  /**
   * `frame` scrolls; `draw(row, item)` fills a new row of `rowHeight` pixels; items carry a `key`.
   * `onActive(item)` is called when a person chooses an item, `onFollow()` when the end is followed or left.
   */
  constructor(frame, { rowHeight, draw, onActive, onFollow }) {
    Object.assign(this, { frame, rowHeight, draw, onActive, onFollow });
    frame.setAttribute("role", "listbox");
    frame.tabIndex = 0;
    frame.append(this.#space);
    frame.addEventListener("scroll", () => this.#onScroll());
    frame.addEventListener("keydown", (event) => this.#onKey(event));
    this.#space.addEventListener("click", (event) => {
      const row = event.target.closest(".virtual-row");
      if (row) this.#activate(Number(row.dataset.index));
    });
    new ResizeObserver(() => this.#settle()).observe(frame);
  }

  /** Whether the end of the list is kept in sight: until a person scrolls up. */
  get follows() {
    return this.#follows;
  }

  /** Show these items; what was in sight stays where it was, unless the end is followed. */
  show(items) {
    const top = this.frame.scrollTop;
    const first = Math.floor(top / this.rowHeight);
    const anchor = this.#items[first];
    this.#items = items;
    this.#space.style.height = `${items.length * this.rowHeight}px`;
    if (!this.#follows && anchor) {
      const now = items.indexOf(anchor);
      if (now >= 0 && now !== first) this.frame.scrollTop = top + (now - first) * this.rowHeight;
    }
    this.#settle();
  }

  /** Go to the end and stay there. */
  follow() {
    this.#follows = true;
    this.onFollow();
    this.#settle();
  }

  /** Forget which row is active. */
  rest() {
    this.#active = null;
    this.#render();
  }

  #settle() {
    if (this.#follows) this.frame.scrollTop = this.frame.scrollHeight;
    this.#render();
  }

  #onScroll() {
    const { scrollTop, clientHeight, scrollHeight } = this.frame;
    const atEnd = scrollHeight - scrollTop - clientHeight < this.rowHeight;
    if (atEnd !== this.#follows) {
      this.#follows = atEnd;
      this.onFollow();
    }
    this.#render();
  }

  #onKey(event) {
    const page = Math.max(1, Math.floor(this.frame.clientHeight / this.rowHeight) - 1);
    const last = this.#items.length - 1;
    const at = this.#active ? this.#items.indexOf(this.#active) : last + 1;
    const moves = { ArrowUp: at - 1, ArrowDown: at + 1, PageUp: at - page, PageDown: at + page, Home: 0, End: last };
    const target = moves[event.key];
    if (target === undefined || last < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.#activate(Math.max(0, Math.min(last, target)));
  }

  #activate(index) {
    this.#active = this.#items[index] ?? null;
    const top = index * this.rowHeight;
    const { scrollTop, clientHeight } = this.frame;
    if (top < scrollTop) this.frame.scrollTop = top;
    else if (top + this.rowHeight > scrollTop + clientHeight) this.frame.scrollTop = top + this.rowHeight - clientHeight;
    this.#onScroll();
    if (this.#active) this.onActive(this.#active);
  }

  #render() {
    const from = Math.max(0, Math.floor(this.frame.scrollTop / this.rowHeight) - SPARE_ROWS);
    const count = Math.ceil(this.frame.clientHeight / this.rowHeight) + 2 * SPARE_ROWS;
    const inSight = this.#items.slice(from, from + count);
    const keys = new Set(inSight.map((item) => item.key));
    for (const [key, row] of this.#rows) {
      if (keys.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    let before = null;
    inSight.forEach((item, n) => {
      const row = this.#rows.get(item.key) ?? this.#makeRow(item);
      this.#place(row, item, from + n);
      // In the order in which they are read aloud.
      const follows = before ? before.nextSibling : this.#space.firstChild;
      if (follows !== row) this.#space.insertBefore(row, follows);
      before = row;
    });
    const active = this.#active && this.#rows.get(this.#active.key);
    if (active) this.frame.setAttribute("aria-activedescendant", active.id);
    else this.frame.removeAttribute("aria-activedescendant");
  }

  #makeRow(item) {
    const row = element("div", { role: "option", className: "virtual-row", id: `${this.#id}-${item.key}` });
    this.draw(row, item);
    this.#rows.set(item.key, row);
    return row;
  }

  #place(row, item, index) {
    if (row.dataset.index !== String(index)) {
      row.dataset.index = String(index);
      row.style.transform = `translateY(${index * this.rowHeight}px)`;
      row.setAttribute("aria-posinset", String(index + 1));
    }
    row.setAttribute("aria-setsize", String(this.#items.length));
    row.setAttribute("aria-selected", String(item === this.#active));
  }
}
