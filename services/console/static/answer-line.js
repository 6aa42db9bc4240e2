// A line in which the page says what came of what a person asked for.

import { element, setText } from "./dom.js";

export class AnswerLine {
  constructor(id) {
    this.root = element("p", { id, className: "message", role: "status" });
  }

  say(words, refused = false) {
    this.root.className = refused ? "message refused" : "message";
    setText(this.root, words);
  }
}
