// What is on a canvas as a picture to keep.

import { colours, element } from "./dom.js";

/** Have the browser save a canvas as a PNG of that name, on the page's ground instead of on nothing. */
export async function savePicture(canvas, name) {
  const copy = document.createElement("canvas");
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const context = copy.getContext("2d");
  context.fillStyle = colours(["panel"]).panel;
  context.fillRect(0, 0, copy.width, copy.height);
  context.drawImage(canvas, 0, 0);
  const blob = await new Promise((resolve) => copy.toBlob(resolve, "image/png"));
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
