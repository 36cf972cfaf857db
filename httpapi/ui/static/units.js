// Numbers as people read them.

const format = (value, digits) => value.toLocaleString("en", { maximumFractionDigits: digits });

/** count(1234567) is "1,234,567". Numbers below 100 may have a digit after the point. */
export const count = (value) => format(value, Math.abs(value) < 100 && !Number.isInteger(value) ? 1 : 0);

/** plural(2, "key") is "2 keys". */
export const plural = (number, one, many = one + "s") => `${count(number)} ${number === 1 ? one : many}`;

const byteUnits = ["B", "KiB", "MiB", "GiB", "TiB"];

/** bytes(1536) is "1.5 KiB". */
export function bytes(value) {
  let unit = 0;
  while (value >= 1024 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${format(value, unit > 0 && value < 100 ? 1 : 0)} ${byteUnits[unit]}`;
}

/** duration(0.0021) is "2.1 ms": a time in seconds, with about two digits. */
export function duration(seconds) {
  if (seconds === 0) return "0 s";
  for (const [unit, size] of [["µs", 1e-6], ["ms", 1e-3]]) {
    const value = seconds / size;
    if (value < 999.5) return `${format(value, value < 10 ? 1 : 0)} ${unit}`;
  }
  return seconds < 120 ? `${format(seconds, seconds < 10 ? 1 : 0)} s` : span(seconds);
}

const timeUnits = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** span(93784) is "1 d 2 h": a long time in seconds, in at most two units, or as many as most says. */
export function span(seconds, most = 2) {
  let rest = Math.max(0, Math.round(seconds));
  const largest = timeUnits.findIndex(([, size]) => rest >= size);
  if (largest < 0) return "0 s";
  const texts = [];
  for (const [unit, size] of timeUnits.slice(largest, largest + most)) {
    const value = Math.floor(rest / size);
    rest -= value * size;
    if (value > 0) texts.push(`${value} ${unit}`);
  }
  return texts.join(" ");
}

/** timeLeft(3721.5) is "1 h 2 min 2 s": the time until something happens, in seconds. */
export const timeLeft = (seconds) => span(Math.ceil(seconds), 3);
