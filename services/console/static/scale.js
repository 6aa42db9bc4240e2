// Numbers of the graph: ticks that people read easily, and the sample nearest to an instant.

/** Return round numbers from at or below `lowest` to at or above `highest`, about `count` of them. */
export function niceTicks(lowest, highest, count) {
  const raw = Math.max(highest - lowest, 1e-9) / count;
  const magnitude = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * magnitude).find((candidate) => candidate >= raw * 0.8);
  const ticks = [];
  const last = Math.ceil(highest / step - 1e-9);
  for (let n = Math.floor(lowest / step + 1e-9); n <= last; n += 1) ticks.push(n * step);
  return ticks;
}

/** A share of the highest value: so far below zero a sensor's noise goes, and a current that flows back goes further. */
const NOISE = 0.02;

/** Return the lowest value that an axis from zero must show: noise about zero draws none below it. */
export function floorOf(lowest, highest) {
  return lowest < -NOISE * highest ? lowest : 0;
}

/** Return the index of the sample nearest to `atS`, or -1. */
export function nearest(samples, atS) {
  let best = -1;
  for (let n = 0; n < samples.length; n += 1) {
    if (best < 0 || Math.abs(samples[n].atS - atS) <= Math.abs(samples[best].atS - atS)) best = n;
  }
  return best;
}

/** Return the runs of samples between which nothing is missing: a longer silence than `gapS` splits them. */
export function unbroken(samples, gapS) {
  const runs = [];
  samples.forEach((sample, n) => {
    if (n === 0 || sample.atS - samples[n - 1].atS > gapS) runs.push([]);
    runs[runs.length - 1].push(sample);
  });
  return runs;
}
