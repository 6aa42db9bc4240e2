// Elements from data. Text only ever becomes text: nothing from outside is parsed as markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** Return a new element with a class, text and children. */
export function element(tag, { className = "", text, children = [], ...attributes } = {}) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Return an icon; it says nothing to a screen reader, so words must stand beside it. */
export function icon(name) {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("class", `icon icon-${name}`);
  made.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  made.append(use);
  return made;
}

/** Return an empty sparkline and the line in it. */
export function sparkline() {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("class", "sparkline");
  made.setAttribute("viewBox", "0 0 100 20");
  made.setAttribute("preserveAspectRatio", "none");
  made.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "polyline");
  made.append(line);
  return { made, line };
}

/** Set an element's text, touching the page only when it differs. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Fill a place anew only when what it shows is another: what is focused or marked there stays. */
export function fill(place, shown, make) {
  const text = JSON.stringify(shown);
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  place.replaceChildren(...make());
}

/** Return the pairs of a description list, each a term and its words. */
export function terms(pairs) {
  return pairs.map(([term, words]) => element("div", { children: [element("dt", { text: term }), element("dd", { text: words })] }));
}

/** Return the page's colours by name, as they are in the present theme; a canvas does not read `var()`. */
export function colours(names) {
  const probe = document.body.appendChild(document.createElement("i"));
  const read = names.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(read);
}
