// Tabs as people know them: one stop of the Tab key, arrows between them.

export class Tabs {
  /** `onChoose(tab)` is called with the button that a person chooses. */
  constructor(list, onChoose) {
    Object.assign(this, { list, onChoose });
    list.addEventListener("click", (event) => {
      const tab = event.target.closest('[role="tab"]');
      if (tab) onChoose(tab);
    });
    list.addEventListener("keydown", (event) => this.#onKey(event));
  }

  get #tabs() {
    return [...this.list.querySelectorAll('[role="tab"]')];
  }

  /** Show which tab is chosen. */
  mark(chosen) {
    for (const tab of this.#tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
    }
  }

  #onKey(event) {
    const tabs = this.#tabs;
    const at = tabs.indexOf(event.target);
    const target = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (target === undefined || at < 0) return;
    event.preventDefault();
    const tab = tabs[(target + tabs.length) % tabs.length];
    tab.focus();
    this.onChoose(tab);
  }
}
