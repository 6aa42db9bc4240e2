// Taking data along: readings, anomalies and messages of a stretch of time as CSV or JSON, and the graph as a picture.

import { byId, element, setText } from "./dom.js";
import { savePicture } from "./picture.js";

const ago = (seconds) => (nowS) => ({ sinceS: nowS - seconds, untilS: nowS });

/** The stretches of time to choose from: what each is called, and from when to when it is. */
const STRETCHES = [
  { label: "Last 5 minutes", between: ago(300) },
  { label: "Last hour", between: ago(3600) },
  { label: "Last 24 hours", between: ago(86400) },
  { label: "Everything", between: () => ({ sinceS: null, untilS: null }) },
];

const WHAT = [
  ["readings", "Readings", "current, voltage, power and the rest, one row an instant"],
  ["anomalies", "Anomalies", "what was detected, with score and signature"],
  ["messages", "Messages", "every OCPP message, CAN frame and system event"],
];
const FORMATS = ["csv", "json"];

/** Return the address at which the server hands out a file. */
function exportAddress(what, format, { chargePointId, connector, sinceS, untilS }) {
  const query = new URLSearchParams({ charge_point_id: chargePointId });
  if (what === "readings") query.set("connector", connector);
  if (sinceS !== null) query.set("since", new Date(sinceS * 1000).toISOString());
  if (untilS !== null) query.set("until", new Date(untilS * 1000).toISOString());
  return `/api/export/${what}.${format}?${query}`;
}

/** The choices and links, for any page that knows a charge point and stretches of time. */
export class Exports {
  #stretch = element("select");
  #away = element("p", { className: "message refused", role: "status" });

  /**
   * `subject()` returns {chargePointId, connector}, or null while it is not known, `nowS()` the server's time, `picture(name)` saves the graph.
   */
  constructor({ stretches, subject, nowS, picture }) {
    Object.assign(this, { stretches, subject, nowS });
    this.#stretch.replaceChildren(...stretches.map(({ label }, n) => element("option", { value: String(n), text: label })));
    const save = element("button", { type: "button", className: "button", text: "Picture of the graph (PNG)" });
    save.addEventListener("click", () => subject() && picture(`${fileName(subject())}-graph.png`));
    this.root = element("div", {
      className: "exports",
      children: [
        stretches.length > 1
          ? element("label", { className: "export-stretch", children: [element("span", { text: "Stretch" }), this.#stretch] })
          : element("p", { className: "export-stretch", text: stretches[0].label }),
        element("ul", { className: "export-list", children: WHAT.map((entry) => this.#entry(entry)) }),
        element("p", { className: "export-picture", children: [save] }),
        this.#away,
      ],
    });
    // Addresses hold the present instant: they are made when one is wanted.
    for (const kind of ["pointerenter", "focusin", "click", "contextmenu"]) {
      this.root.addEventListener(kind, () => this.#address(), true);
    }
    this.#stretch.addEventListener("change", () => this.#address());
  }

  /** Say whether the MemoryBank is there to be asked. */
  render(there) {
    setText(this.#away, there ? "" : "The MemoryBank is away: only the picture can be had now.");
    for (const link of this.root.querySelectorAll("a")) {
      if (there) link.removeAttribute("aria-disabled");
      else link.setAttribute("aria-disabled", "true");
    }
    this.#address();
  }

  #entry([what, title, says]) {
    const links = FORMATS.map((format) =>
      element("a", {
        className: "button",
        text: format.toUpperCase(),
        download: "",
        "data-what": what,
        "data-format": format,
        "aria-label": `${title} as ${format.toUpperCase()}`,
      }),
    );
    return element("li", {
      children: [
        element("p", { children: [element("strong", { text: title }), element("span", { className: "export-says", text: says })] }),
        element("span", { className: "export-formats", children: links }),
      ],
    });
  }

  #address() {
    const subject = this.subject();
    const asked = subject && { ...subject, ...this.stretches[Number(this.#stretch.value)].between(this.nowS()) };
    for (const link of this.root.querySelectorAll("a")) {
      if (!asked || link.hasAttribute("aria-disabled")) link.removeAttribute("href");
      else link.href = exportAddress(link.dataset.what, link.dataset.format, asked);
    }
  }
}

/** The tab of the charge point's page. */
export class ExportPanel {
  #route = null;
  #exports;

  constructor(root, { model, stream }) {
    this.model = model;
    this.#exports = new Exports({
      stretches: STRETCHES,
      subject: () => {
        const connector = model.find(this.#route.chargePointId, this.#route.connector)?.connector ?? this.#route.connector ?? 1;
        return { chargePointId: this.#route.chargePointId, connector };
      },
      nowS: () => stream.nowS(),
      picture: (name) => savePicture(byId("canvas"), name),
    });
    root.replaceChildren(this.#exports.root);
  }

  show(route) {
    this.#route = route;
    this.#exports.render(this.model.works("memorybank"));
  }

  hide() {}

  render(changed) {
    if (changed.services) this.#exports.render(this.model.works("memorybank"));
  }
}

/** A file's name from a charge point's, without what file systems refuse. */
function fileName({ chargePointId, connector }) {
  return `${chargePointId.replace(/[^\w.-]+/g, "_")}-${connector}`;
}
