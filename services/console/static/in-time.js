// Lists in the order of time: what comes late is put in its place, what is too old or too much is let go.

/** Put an item behind all that are not later; `timeOf(item)` is its time. */
export function insert(list, item, timeOf) {
  let at = list.length;
  while (at > 0 && timeOf(list[at - 1]) > timeOf(item)) at -= 1;
  list.splice(at, 0, item);
}

/** Let go what is not later than `oldestS`, and the oldest beyond `most`. */
export function trim(list, timeOf, oldestS, most) {
  const first = list.findIndex((item) => timeOf(item) > oldestS);
  list.splice(0, Math.max(first < 0 ? list.length : first, list.length - most));
}
