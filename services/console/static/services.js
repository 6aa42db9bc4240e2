// Which of the services are there, in words.

import { byId, element, fill, icon } from "./dom.js";

const NAMES = { can: "CAN", csms: "CSMS", memorybank: "MemoryBank", broker: "Broker" };

/** Show the state of each service in the bar, and a sentence for each that is away. */
export function showServices(model, connected) {
  const notices = [];
  const items = Object.entries(NAMES).map(([service, name]) => {
    const state = connected ? model.services[service] : undefined;
    const [iconName, word] = !state ? ["unknown", "unknown"] : state.working ? ["ok", "ok"] : ["away", "away"];
    if (state && !state.working) notices.push(state.text);
    return element("li", {
      className: iconName,
      title: state?.text ?? "",
      children: [icon(iconName), element("span", { text: `${name} ` }), element("span", { className: "word", text: word })],
    });
  });
  if (!connected) notices.push("The console does not answer: what you see is the last known. Trying again\u2026");
  byId("services").replaceChildren(...items);
  fill(byId("notices"), notices, () => notices.map((text) => element("p", { children: [icon("warning"), element("span", { text })] })));
}
