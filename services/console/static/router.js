// The address says what is shown: a route from the query string, and back.

/** Return the route of a query string: {view} and what it names; what is not understood leads to the fleet. */
export function routeOf(search) {
  const query = new URLSearchParams(search);
  const chargePointId = query.get("charge_point");
  if (query.get("view") === "scenarios") return { view: "scenarios", chargePointId };
  if (query.get("anomaly")) return { view: "anomaly", anomalyId: query.get("anomaly") };
  if (chargePointId) return { view: "charge-point", chargePointId, connector: Number(query.get("connector")) || 1 };
  return { view: "fleet" };
}

/** Return the address of a route; relative, so that it works behind any prefix. */
export function addressOf({ view, chargePointId, connector, anomalyId }) {
  const query = new URLSearchParams();
  if (view === "scenarios") query.set("view", view);
  if (view === "anomaly") query.set("anomaly", anomalyId);
  if (chargePointId) query.set("charge_point", chargePointId);
  if (connector > 1) query.set("connector", connector);
  return query.size ? `?${query}` : location.pathname;
}

export class Router {
  /** `onRoute(route)` is called for each new address: by a link, by the browser's buttons, by `navigate`. */
  constructor(onRoute) {
    this.onRoute = onRoute;
    addEventListener("popstate", () => onRoute(routeOf(location.search)));
    document.addEventListener("click", (event) => this.#onClick(event));
  }

  navigate(route) {
    this.#go(addressOf(route));
  }

  #go(address) {
    history.pushState(null, "", address);
    this.onRoute(routeOf(location.search));
  }

  #onClick(event) {
    const link = event.target.closest("a[href]");
    // What opens a tab, a download or another page stays the browser's.
    if (!link || link.target || link.hasAttribute("download") || event.defaultPrevented || event.button !== 0) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (link.origin !== location.origin || link.pathname !== location.pathname) return;
    event.preventDefault();
    // A place on this page takes the focus and leaves the address, which belongs to the views, as it is.
    if (link.hash) document.querySelector(link.hash).focus();
    else this.#go(link.href);
  }
}
