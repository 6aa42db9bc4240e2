// A canvas to draw on: as large as the element around it, in the page's colours, with lines, dots and words.

import { colours } from "./dom.js";
import { SEVERITIES } from "./status.js";

const FONT = 'px Inter, system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif';

const COLOURS = [
  ...["text", "muted", "edge", "grid", "panel", "sunk", "select", "current", "offered", "commanded", "on-bus", "critical-wash"],
  ...SEVERITIES,
  ...SEVERITIES.map((name) => `${name}-tint`),
];

export class Surface {
  colours = {};
  width = 0;
  height = 0;

  /** `onChange()` is called when what is drawn must be drawn again: another size, other colours. */
  constructor(canvas, onChange = () => {}) {
    Object.assign(this, { canvas, onChange, context: canvas.getContext("2d") });
    new ResizeObserver(() => this.#resize()).observe(canvas.parentElement);
    document.addEventListener("themechange", () => this.#recolour());
    this.#recolour();
  }

  #recolour() {
    this.colours = colours(COLOURS);
    this.onChange();
  }

  #resize() {
    const { clientWidth, clientHeight } = this.canvas.parentElement;
    const ratio = devicePixelRatio || 1;
    [this.width, this.height] = [clientWidth, clientHeight];
    [this.canvas.width, this.canvas.height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.onChange();
  }

  clear(fontPixels = 12) {
    this.context.clearRect(0, 0, this.width, this.height);
    this.context.font = `${fontPixels}${FONT}`;
    this.context.lineJoin = "round";
    this.context.textBaseline = "middle";
  }

  /** Draw what `draw` draws, and nothing of it outside of a rectangle. */
  clipped(x, y, width, height, draw) {
    this.context.save();
    this.context.beginPath();
    this.context.rect(x, y, width, height);
    this.context.clip();
    draw();
    this.context.restore();
  }

  line(x1, y1, x2, y2, colour, { width = 1, dash = [] } = {}) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
    context.setLineDash([]);
  }

  dot(x, y, radius, colour) {
    this.context.fillStyle = colour;
    this.context.beginPath();
    this.context.arc(x, y, radius, 0, 2 * Math.PI);
    this.context.fill();
  }

  /** A line from `top` to `bottom` at the instant that is read; its value, where there is one, as a ring. */
  cursor(x, { top, bottom }, y = null, radius = 6) {
    this.line(x, top, x, bottom, this.colours.text);
    if (y === null) return;
    this.dot(x, y, radius, this.colours.text);
    this.dot(x, y, radius - 2, this.colours.panel);
  }

  text(words, x, y, { colour = this.colours.muted, align = "left" } = {}) {
    this.context.fillStyle = colour;
    this.context.textAlign = align;
    this.context.fillText(words, x, y);
  }
}
