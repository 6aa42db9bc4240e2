// A connector's status: in words, and with an icon, so that it is not said by colour alone.

/** An anomaly's severities, the gravest last. */
export const SEVERITIES = ["info", "warning", "critical"];

const BUS_WORDS = { silent: "no readings", lost: "bus lost", none: "no CAN bus" };

const ICONS = {
  Charging: "charging",
  Available: "idle",
  SuspendedEV: "pause",
  SuspendedEVSE: "pause",
  Faulted: "critical",
  Offline: "away",
  Unavailable: "away",
};

/** Return a connector's status in words, from the CSMS or, where that knows nothing, from its module. */
export function statusOf(row, model) {
  if (!row.csms) return row.module_state ? `Module ${row.module_state}` : "Unknown";
  const status = row.csms.connected ? (row.csms.status ?? "Connected") : "Offline";
  return model.works("csms") ? status : `${status} (last known)`;
}

/** Return what is wrong with a connector's bus, in words; "" when readings come. */
export function busTrouble(row) {
  return BUS_WORDS[row.bus] ?? "";
}

/** Return the icon of a status as the CSMS says it. */
export function statusIcon(csms) {
  if (!csms) return "unknown";
  return csms.connected ? (ICONS[csms.status] ?? "idle") : "away";
}

/** Return the icon of an anomaly's severity. */
export function iconOf(anomaly) {
  return SEVERITIES.includes(anomaly.severity) ? anomaly.severity : "warning";
}
