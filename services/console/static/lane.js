// The status lane: what status the connector had when, under the graph and on the graph's time axis.

import { Surface } from "./surface.js";
import { duration, sentence } from "./words.js";

const MARGIN = { left: 54, right: 14 };
const FILLS = { Charging: "select", Faulted: "critical-wash", Unavailable: "critical-wash" };
const EDGES = { Charging: "current", Faulted: "critical", Unavailable: "critical" };

export class Lane {
  #surface;

  constructor(canvas) {
    this.canvas = canvas;
    this.#surface = new Surface(canvas);
  }

  /** Draw `statuses`, [[atS, status], …]: each holds until the next. */
  draw({ statuses, spanS, nowS }) {
    const { colours, context, height, width } = this.#surface;
    const inner = width - MARGIN.left - MARGIN.right;
    if (inner <= 0) return;
    const x = (atS) => MARGIN.left + inner * (1 - (nowS - atS) / spanS);
    this.#surface.clear(11);
    this.#surface.text("Status", MARGIN.left - 8, height / 2 + 0.5, { align: "right" });
    statuses.forEach(([atS, status], n) => {
      const untilS = statuses[n + 1]?.[0] ?? nowS;
      if (untilS <= nowS - spanS) return;
      const [from, to] = [Math.max(MARGIN.left, x(atS)), x(untilS)];
      context.fillStyle = colours[FILLS[status] ?? "sunk"];
      context.fillRect(from, 0, to - from, height);
      // The edge is where it changed, so that the lane is read without its colours.
      context.fillStyle = colours[EDGES[status] ?? "edge"];
      context.fillRect(from, height - 3, to - from, 3);
      if (x(atS) >= MARGIN.left) context.fillRect(from, 0, 1, height);
      this.#surface.clipped(from, 0, Math.max(0, to - from - 3), height, () =>
        this.#surface.text(words(status), from + 5, height / 2 - 1, { colour: colours.text }),
      );
    });
  }

  /** Say the same in words. */
  say({ statuses, nowS }) {
    const last = statuses[statuses.length - 1];
    const before = statuses.slice(0, -1).map(([, status]) => words(status));
    const text = last ? `Status: ${words(last[1])} for ${duration(nowS - last[0])}` : "Status: not known";
    this.canvas.setAttribute("aria-label", before.length ? `${text}; before that ${before.reverse().join(", ")}` : text);
  }
}

/** `SuspendedEVSE` as people say it. */
function words(status) {
  return sentence(status.replace(/([a-z])([A-Z])/g, "$1 $2"));
}
