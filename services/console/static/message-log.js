// The messages of a charge point, OCPP and CAN, decoded, as they come: filtered, held, opened, copied.

import { byId, element, icon, setText } from "./dom.js";
import { LINES, LogBuffer, rawText } from "./log-buffer.js";
import { keyOf } from "./model.js";
import { VirtualList } from "./virtual-list.js";
import { plural } from "./words.js";

const ROW_PIXELS = 24;
const LAYERS = { can: "CAN", ocpp: "OCPP", system: "System" };
const COPIED_MS = 1500;

/** The tab of the charge point's page. */
export class LogPanel {
  #buffer = new LogBuffer();
  #filter = { layers: new Set(Object.keys(LAYERS)), text: "", troubleOnly: false };
  #followed = null;
  #dirty = true;
  #heard = false;
  #opened = null;
  #list;
  #parts;

  constructor(root, { stream, model }) {
    Object.assign(this, { root, stream, model, tab: byId("tab-log") });
    this.#parts = this.#build();
    this.#list = new VirtualList(this.#parts.lines, {
      rowHeight: ROW_PIXELS,
      draw: drawLine,
      onActive: (entry) => this.#open(entry),
      onFollow: () => (this.#parts.newest.hidden = this.#list.follows),
    });
    // Lines come for as long as the stream is asked for them, also while another tab is in front.
    stream.on("log", (message) => {
      this.#heard = true;
      this.#buffer.take(message);
      this.#dirty = true;
      if (!this.root.hidden) this.model.onChange();
    });
  }

  show({ chargePointId, connector }) {
    const followed = keyOf(chargePointId, connector);
    if (followed !== this.#followed) {
      this.#buffer.clear();
      this.#heard = false;
      this.#open(null);
      this.#list.rest();
      this.#list.follow();
    }
    this.#followed = followed;
    this.#dirty = true;
  }

  hide() {}

  render() {
    if (!this.#dirty) return;
    this.#dirty = false;
    const shown = this.#buffer.matching(this.#filter);
    this.#list.show(shown);
    const { lines, waiting, dropped, paused } = this.#buffer;
    setText(this.#parts.pauseWord, paused ? `Resume${waiting.length ? ` (${waiting.length})` : ""}` : "Pause");
    this.#parts.pause.setAttribute("aria-pressed", String(paused));
    setText(this.#parts.status, statusText(lines.length, shown.length, waiting.length, dropped, paused));
    setText(this.#parts.empty, this.#emptyText(lines.length, shown.length));
    this.#parts.empty.hidden = shown.length > 0;
  }

  #emptyText(lines, shown) {
    if (shown) return "";
    if (lines) return "No line passes the filter.";
    return this.#heard ? "No message yet: what comes is shown here." : "Waiting for messages\u2026";
  }

  #build() {
    const layers = Object.entries(LAYERS).map(([layer, word]) =>
      element("button", { type: "button", className: `toggle layer-${layer}`, "aria-pressed": "true", "data-layer": layer, text: word }),
    );
    const search = element("input", { type: "search", className: "log-search", placeholder: "Filter", "aria-label": "Filter by name or text" });
    const trouble = element("button", { type: "button", className: "toggle", "aria-pressed": "false", text: "Errors only" });
    const pauseWord = element("span", { text: "Pause" });
    const pause = element("button", { type: "button", className: "button log-pause", "aria-pressed": "false", children: [icon("pause"), pauseWord] });
    const status = element("p", { className: "log-status" });
    const empty = element("p", { className: "empty log-empty", text: "Waiting for messages\u2026" });
    const lines = element("div", { id: "log-lines", className: "log-lines", "aria-label": `Messages, the newest last; at most ${LINES}`, "aria-live": "off" });
    const newest = element("button", { type: "button", className: "button log-newest", text: "\u2193 Newest", hidden: "" });
    const raw = element("pre", { className: "log-raw", tabindex: "0", "aria-label": "Raw content" });
    const openTitle = element("h3", { className: "log-open-title" });
    const copy = element("button", { type: "button", className: "button", text: "Copy" });
    const close = element("button", { type: "button", className: "button", text: "Close" });
    const opened = element("section", {
      className: "log-open",
      "aria-label": "The chosen message",
      hidden: "",
      children: [element("div", { className: "log-open-head", children: [openTitle, copy, close] }), raw],
    });

    for (const button of layers) {
      button.addEventListener("click", () => {
        const { layer } = button.dataset;
        if (!this.#filter.layers.delete(layer)) this.#filter.layers.add(layer);
        button.setAttribute("aria-pressed", String(this.#filter.layers.has(layer)));
        this.#again();
      });
    }
    search.addEventListener("input", () => {
      this.#filter.text = search.value;
      this.#again();
    });
    trouble.addEventListener("click", () => {
      this.#filter.troubleOnly = !this.#filter.troubleOnly;
      trouble.setAttribute("aria-pressed", String(this.#filter.troubleOnly));
      this.#again();
    });
    pause.addEventListener("click", () => {
      if (this.#buffer.paused) this.#buffer.resume();
      else this.#buffer.pause();
      this.#again();
    });
    newest.addEventListener("click", () => {
      this.#list.follow();
      lines.focus();
    });
    copy.addEventListener("click", () => this.#copy());
    close.addEventListener("click", () => this.#close());
    this.root.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#opened) this.#close();
      if (event.key === "c" && (event.ctrlKey || event.metaKey) && event.target === lines && this.#opened) this.#copy();
    });

    this.root.replaceChildren(
      element("div", {
        className: "log-tools",
        role: "toolbar",
        "aria-label": "Filter and pause",
        children: [element("div", { className: "toggles", role: "group", "aria-label": "Layers", children: layers }), search, trouble, pause],
      }),
      element("div", { className: "log-frame", children: [lines, empty, newest] }),
      opened,
      status,
    );
    return { pause, pauseWord, status, empty, lines, newest, opened, openTitle, raw, copy };
  }

  #again() {
    this.#dirty = true;
    this.model.onChange();
  }

  #open(entry) {
    this.#opened = entry;
    const { opened, openTitle, raw } = this.#parts;
    opened.hidden = !entry;
    if (!entry) return;
    setText(openTitle, `${clock(entry.at_s)} \u00B7 ${LAYERS[entry.layer] ?? entry.layer} \u00B7 ${entry.name}`);
    setText(raw, `${entry.text}\n\n${rawText(entry)}`);
    raw.scrollTop = 0;
  }

  #close() {
    this.#open(null);
    this.#list.rest();
    this.#parts.lines.focus();
  }

  async #copy() {
    const { copy } = this.#parts;
    const { at_s: atS, layer, direction, name, text } = this.#opened;
    const head = [new Date(atS * 1000).toISOString(), LAYERS[layer] ?? layer, direction, name, text].filter(Boolean).join(" ");
    try {
      await navigator.clipboard.writeText(`${head}\n${rawText(this.#opened)}`);
      setText(copy, "Copied");
    } catch {
      setText(copy, "Not allowed here");
    }
    setTimeout(() => setText(copy, "Copy"), COPIED_MS);
  }
}

function drawLine(row, entry) {
  const arrow = { sent: ["\u2192", "sent"], received: ["\u2190", "received"] }[entry.direction];
  row.classList.toggle("trouble", entry.trouble);
  row.append(
    element("span", { className: "line-at", text: clock(entry.at_s) }),
    element("span", { className: `line-layer layer-${entry.layer}`, text: LAYERS[entry.layer] ?? entry.layer }),
    element("span", { className: "line-direction", title: arrow?.[1] ?? "", children: arrow ? [arrow[0], element("span", { className: "unseen", text: arrow[1] })] : [] }),
    element("span", { className: "line-name", text: entry.name }),
    element("span", { className: "line-text", children: [...(entry.malformed ? [element("strong", { text: "malformed " })] : []), entry.text] }),
  );
  if (entry.trouble) row.querySelector(".line-name").prepend(icon("warning"));
}

function clock(atS) {
  const at = new Date(atS * 1000);
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  return `${time}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function statusText(lines, shown, waiting, dropped, paused) {
  return [
    shown === lines ? plural(lines, "line") : `${shown} of ${plural(lines, "line")}`,
    paused && `paused, ${waiting} wait`,
    dropped > 0 && `${dropped} left out: more came than can be shown`,
  ]
    .filter(Boolean)
    .join(" \u00B7 ");
}
