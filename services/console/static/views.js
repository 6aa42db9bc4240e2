// Views and panels, and how the shell treats them.
//
// A view fills one `<section data-view="…">`, a panel one tab of the charge point's page. Both are classes:
//
//   constructor(root, context)  build into `root`, once; context = { model, stream, ask, navigate }
//       model     what the page knows (model.js)
//       stream    stream.on(kind, listener) returns the function that takes the listener off again (stream.js)
//       ask       ask(method, path, body): a question to the server (api.js)
//       navigate  navigate(route): another address (router.js); a plain <a href="?anomaly=…"> does the same
//   show(route)   be shown, with what the address names: { chargePointId, connector }, { anomalyId }, …;
//                 called again when only that changes
//   hide()        another one is shown: take listeners and timers off
//   render(changed)  optional, while shown: at most once a frame, `changed` as of model.takeChanges()
//   get title()   optional, of views: the words for the document's title

/** One of several that is shown. */
export class Switch {
  #shown = null;

  /** `members` are the views or panels by name, each with its `root` beside it: { name: { root, member } }. */
  constructor(members) {
    this.members = members;
  }

  get name() {
    return this.#shown;
  }

  get shown() {
    return this.members[this.#shown]?.member;
  }

  get root() {
    return this.members[this.#shown]?.root;
  }

  show(name, route) {
    if (name !== this.#shown) this.hide();
    this.#shown = name;
    this.members[name].root.hidden = false;
    this.shown.show(route);
  }

  hide() {
    if (this.#shown === null) return;
    this.shown.hide();
    this.members[this.#shown].root.hidden = true;
    this.#shown = null;
  }

  render(changed) {
    this.shown?.render?.(changed);
  }
}
