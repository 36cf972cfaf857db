// The lines of an export, as "pando ctl export" writes them and "pando ctl import" reads them: one JSON object for each key and directory.
import { clean, isAddressable, isAtOrBelow, parts } from "./paths.js";

/** lineOf returns the line of a node. A value that is no UTF-8 has U+FFFD in place of its bytes. */
export function lineOf({ key, dir, value, ttl, expiration }) {
  return JSON.stringify({ key, dir: dir || undefined, value: dir ? undefined : value ?? "", ttl: ttl || undefined, expiration }) + "\n";
}

/**
 * parseEntries reads the text of an export, and returns the nodes at and below a path. It throws an Error that names the first line which
 * is not one of an export. name names the file. A key that comes again with the same value counts once.
 */
export function parseEntries(text, name, below = "/") {
  const entries = new Map();
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    if (line.trim() === "") continue;
    const entry = parseEntry(line, `Line ${number} of ${name}`);
    const first = entries.get(entry.key);
    if (first && (first.dir !== entry.dir || first.value !== entry.value)) {
      throw new Error(`Line ${number} of ${name} has ${entry.key} again, with another value.`);
    }
    if (!first && isAtOrBelow(entry.key, below)) entries.set(entry.key, entry);
  }
  if (entries.size > 0) return [...entries.values()];
  throw new Error(`Nothing to import: ${name} ${text.trim() === "" ? "is empty." : `has nothing at or below ${below}.`}`);
}

function parseEntry(line, where) {
  let entry;
  try {
    entry = JSON.parse(line);
  } catch (error) {
    throw new Error(`${where} is no JSON (${error.message}). An export has one JSON object in each line.`);
  }
  const { key, dir = false, value, ttl = 0, expiration } = entry ?? {};
  if (typeof key !== "string" || parts(key).length === 0) throw new Error(`${where} has no "key". Is it an export?`);
  if (!isAddressable(key)) throw new Error(`${where} (${key}) has a path with . or .. in it.`);
  if (typeof dir !== "boolean" || (value !== undefined && typeof value !== "string") || dir === (value !== undefined)) {
    throw new Error(`${where} (${key}) needs either a "value" or "dir":true.`);
  }
  if (!Number.isInteger(ttl) || ttl < 0) throw new Error(`${where} (${key}) has a "ttl" that is not a number of seconds.`);
  if (expiration !== undefined && Number.isNaN(Date.parse(expiration))) {
    throw new Error(`${where} (${key}) has an "expiration" that is not a time.`);
  }
  return { key: clean(key), dir, value, ttl, expiration };
}

/**
 * unexpired returns the entries that have not expired at now, in milliseconds, with the seconds that are left as their ttl, and the number
 * of those that have. What is in an expired directory has expired, too. With renew each ttl is that of the export, and nothing expires.
 */
export function unexpired(entries, now, renew) {
  if (renew) return { left: entries, expired: 0 };
  const gone = new Set(entries.filter((e) => e.expiration && Date.parse(e.expiration) <= now).map((e) => e.key));
  const isGone = (key) => {
    for (let path = key; path !== ""; path = path.slice(0, path.lastIndexOf("/"))) if (gone.has(path)) return true;
    return false;
  };
  const left = entries.filter((e) => !isGone(e.key)).map((e) => ({ ...e, ttl: secondsLeft(e, now) }));
  return { left, expired: entries.length - left.length };
}

const secondsLeft = ({ ttl, expiration }, now) => (expiration ? Math.max(1, Math.ceil((Date.parse(expiration) - now) / 1000)) : ttl);
