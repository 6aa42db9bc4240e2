// Light, dark, or as the system has it. A classic script, so that the page is never drawn in the wrong one first.

"use strict";

(() => {
  const KEY = "chargebench-theme";
  const THEMES = { system: "system", light: "sun", dark: "moon" };
  const names = Object.keys(THEMES);

  function remembered() {
    try {
      const theme = localStorage.getItem(KEY);
      return names.includes(theme) ? theme : "system";
    } catch {
      return "system"; // storage is switched off: the choice lasts as long as the page
    }
  }

  function remember(theme) {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // As above.
    }
  }

  function apply(theme) {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("themechange"));
  }

  let theme = remembered();
  apply(theme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(theme));

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const show = () => {
      button.querySelector("use").setAttribute("href", `#icon-${THEMES[theme]}`);
      button.title = `Theme: ${theme}`;
      button.setAttribute("aria-label", `Theme: ${theme}`);
    };
    button.addEventListener("click", () => {
      theme = names[(names.indexOf(theme) + 1) % names.length];
      remember(theme);
      apply(theme);
      show();
    });
    show();
  });
})();
