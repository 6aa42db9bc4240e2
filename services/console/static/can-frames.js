// The frames of a charger's bus, as services/contracts/charger.dbc has them: 11-bit identifiers, little-endian.

const MAX_ID = 0x7ff;
export const MAX_BYTES = 8;

const WHOLE = { factor: 1, digits: 0 };
const YES_NO = { 0: "no", 1: "yes" };

/** Each signal: where its bits stand, its factor, its range in the unit, and what a form begins with. */
export const FRAMES = [
  { id: 0x200, name: "Start", means: "start charging", size: 0, signals: [] },
  { id: 0x201, name: "Stop", means: "stop charging", size: 0, signals: [] },
  {
    id: 0x210,
    name: "SetLimit",
    means: "set the current limit",
    size: 2,
    signals: [{ name: "limit_a", start: 0, length: 16, ...WHOLE, unit: "A", min: 0, max: 65535, initial: 32 }],
  },
  {
    id: 0x211,
    name: "Keepalive",
    means: "the charge point is alive",
    size: 2,
    signals: [{ name: "counter", start: 0, length: 16, ...WHOLE, unit: "", min: 0, max: 65535, initial: 0 }],
  },
  {
    id: 0x300,
    name: "Current",
    means: "the current, as the module tells it",
    size: 2,
    signals: [{ name: "current_a", start: 0, length: 16, ...WHOLE, unit: "A", min: 0, max: 65535, initial: 32 }],
  },
  {
    id: 0x301,
    name: "Output",
    means: "the precise output",
    size: 8,
    signals: [
      { name: "current_a", start: 0, length: 32, signed: true, factor: 0.01, digits: 2, unit: "A", min: -21474836.48, max: 21474836.47, initial: 32 },
      { name: "voltage_v", start: 32, length: 16, factor: 0.1, digits: 1, unit: "V", min: 0, max: 6553.5, initial: 400 },
      { name: "offered_a", start: 48, length: 16, factor: 0.1, digits: 1, unit: "A", min: 0, max: 6553.5, initial: 32 },
    ],
  },
  {
    id: 0x302,
    name: "Status",
    means: "the state of the module",
    size: 8,
    signals: [
      { name: "state", start: 0, length: 8, ...WHOLE, unit: "", min: 0, max: 3, initial: 1, choices: { 0: "Idle", 1: "Charging", 2: "Stopping", 3: "Faulted" } },
      { name: "contactor_closed", start: 8, length: 1, ...WHOLE, unit: "", min: 0, max: 1, initial: 1, choices: YES_NO },
      { name: "vehicle_limited", start: 9, length: 1, ...WHOLE, unit: "", min: 0, max: 1, initial: 0, choices: YES_NO },
      { name: "faults", start: 16, length: 8, ...WHOLE, unit: "", min: 0, max: 255, initial: 0 },
      { name: "counter", start: 24, length: 8, ...WHOLE, unit: "", min: 0, max: 255, initial: 0 },
      { name: "closures", start: 32, length: 16, ...WHOLE, unit: "", min: 0, max: 65535, initial: 0 },
      { name: "hot_openings", start: 48, length: 16, ...WHOLE, unit: "", min: 0, max: 65535, initial: 0 },
    ],
  },
  {
    id: 0x303,
    name: "Thermal",
    means: "temperature, and the vehicle's state of charge",
    size: 4,
    signals: [
      { name: "temperature_c", start: 0, length: 16, signed: true, factor: 0.1, digits: 1, unit: "\u00B0C", min: -3276.8, max: 3276.7, initial: 35 },
      { name: "soc_percent", start: 16, length: 16, factor: 0.1, digits: 1, unit: "%", min: 0, max: 100, initial: 50 },
    ],
  },
];

/** Return a known frame, or undefined. */
export const frameOf = (id) => FRAMES.find((frame) => frame.id === id);

/** `0x210`, as identifiers are written here. */
export const idText = (id) => `0x${id.toString(16).padStart(3, "0")}`;

/** What a signal is called, without its unit: `limit_a` is the limit. */
export const signalWord = ({ name }) => name.replace(/_(a|v|c|percent)$/, "").replaceAll("_", " ");

/** Return the bytes of a frame; `values` by signal name. Throws a RangeError that names what does not fit. */
export function encode(frame, values) {
  let bits = 0n;
  for (const signal of frame.signals) {
    const value = values[signal.name];
    if (!Number.isFinite(value) || value < signal.min || value > signal.max) {
      throw new RangeError(`The ${signalWord(signal)} must be a number from ${signal.min} to ${signal.max}${signal.unit && ` ${signal.unit}`}.`);
    }
    const raw = Math.sign(value) * Math.floor(Math.abs(value) / signal.factor + 0.5);
    bits |= BigInt.asUintN(signal.length, BigInt(raw)) << BigInt(signal.start);
  }
  return Uint8Array.from({ length: frame.size }, (_, n) => Number((bits >> BigInt(8 * n)) & 0xffn));
}

/** Return the signals of a frame's bytes as [signal, value]; the length must be the frame's. */
function decode(frame, bytes) {
  let bits = 0n;
  bytes.forEach((byte, n) => (bits |= BigInt(byte) << BigInt(8 * n)));
  return frame.signals.map((signal) => {
    const raw = bits >> BigInt(signal.start);
    const whole = signal.signed ? BigInt.asIntN(signal.length, raw) : BigInt.asUintN(signal.length, raw);
    return [signal, Number((Number(whole) * signal.factor).toFixed(signal.digits))];
  });
}

/** Return what a module or a charge point would make of a frame, in one sentence. */
export function meaning(id, bytes) {
  const frame = frameOf(id);
  if (!frame) return `No node of the bench knows ${idText(id)}: it goes on the bus as it is.`;
  if (bytes.length !== frame.size) {
    return `Malformed: ${idText(id)} ${frame.name} has ${frame.size} bytes, this one ${bytes.length}. It is sent all the same.`;
  }
  const said = decode(frame, bytes).map(([signal, value]) => {
    const word = signal.choices?.[value] ?? `${value.toFixed(signal.digits).replace("-", "\u2212")}${signal.unit && ` ${signal.unit}`}`;
    return `${signalWord(signal)} ${word}`;
  });
  return `${frame.name}: ${[frame.means, ...said].join(", ")}`;
}

/** Return the bytes that hexadecimal text spells. Throws a RangeError that says what is wrong. */
export function parseHex(text) {
  const digits = text.replace(/[\s:,-]|0x/gi, "");
  const stranger = /[^0-9a-f]/i.exec(digits);
  if (stranger) throw new RangeError(`\u201C${stranger[0]}\u201D is not a hexadecimal digit.`);
  if (digits.length % 2) throw new RangeError("A byte has two hexadecimal digits: one is missing.");
  if (digits.length > 2 * MAX_BYTES) throw new RangeError(`A frame carries at most ${MAX_BYTES} bytes; these are ${digits.length / 2}.`);
  return Uint8Array.from({ length: digits.length / 2 }, (_, n) => parseInt(digits.slice(2 * n, 2 * n + 2), 16));
}

/** Return the identifier that text spells, hexadecimal with or without 0x. Throws a RangeError. */
export function parseId(text) {
  const digits = text.trim().replace(/^0x/i, "");
  const id = /^[0-9a-f]{1,8}$/i.test(digits) ? parseInt(digits, 16) : NaN;
  if (!(id <= MAX_ID)) throw new RangeError(`An identifier is hexadecimal, from 000 to ${MAX_ID.toString(16).toUpperCase()}.`);
  return id;
}

/** `40 00`, as bytes are written. */
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
