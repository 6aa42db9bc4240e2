// The page: the stream fills the model, the address says which view shows it.

import { AnomalyView } from "./anomaly-page.js";
import { ask } from "./api.js";
import { ChargePointView } from "./charge-point.js";
import { FleetView } from "./fleet.js";
import { Model } from "./model.js";
import { Router, addressOf, routeOf } from "./router.js";
import { ScenariosView } from "./scenarios.js";
import { showServices } from "./services.js";
import { Stream } from "./stream.js";
import { Switch } from "./views.js";

/** The views by the name of their section; the address says which is shown. */
const VIEWS = {
  fleet: FleetView,
  "charge-point": ChargePointView,
  anomaly: AnomalyView,
  scenarios: ScenariosView,
};

const model = new Model();
const stream = new Stream("/api/stream");
const router = new Router((route) => {
  show(route);
  views.root.querySelector("[data-heading]").focus();
});
const context = { model, stream, ask, navigate: (route) => router.navigate(route) };

const views = new Switch(
  Object.fromEntries(
    Object.entries(VIEWS).map(([name, View]) => {
      const root = document.querySelector(`[data-view="${name}"]`);
      return [name, { root, member: new View(root, context) }];
    }),
  ),
);

let scheduled = false;

for (const kind of ["snapshot", "update"]) {
  stream.on(kind, (message) => {
    model.apply(kind, message);
  });
}
stream.on("detail", schedule);
stream.on("connected", () => {
  model.changed.services = true;
  schedule();
});
model.onChange = schedule;

function show(route) {
  const name = route.view in VIEWS ? route.view : "fleet";
  for (const link of document.querySelectorAll("[data-nav]")) {
    if (link.dataset.nav === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (name !== "charge-point") stream.follow();
  views.show(name, route);
  model.changeAll();
}

/** Whatever comes within a frame is shown at once. */
function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    render();
  });
}

function render() {
  const changed = model.takeChanges();
  if (changed.services) showServices(model, stream.connected);
  if (changed.fleet) linkToAChargePoint();
  views.render(changed);
  const title = [views.shown.title, "ChargeBench"].filter(Boolean).join(" \u00B7 ");
  if (document.title !== title) document.title = title;
}

/** The way to the charge points' page leads to the one last shown, else to the first. */
function linkToAChargePoint() {
  const view = views.members["charge-point"].member.row ?? model.find();
  const link = document.querySelector('[data-nav="charge-point"]');
  link.href = view ? addressOf({ view: "charge-point", chargePointId: view.charge_point_id, connector: view.connector }) : "/";
}

show(routeOf(location.search));
