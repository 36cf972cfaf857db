// Values are bytes. Functions between bytes, text and what people read.

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** replacement is what JSON has in place of bytes that are not UTF-8. */
export const replacement = "\ufffd";

/** toBytes returns a text in UTF-8. */
export const toBytes = (text) => new TextEncoder().encode(text);

/** fromUtf8 returns bytes as text, or null if they are not UTF-8. */
export function fromUtf8(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/** toText returns bytes as text, or null if they are not UTF-8, or have control characters besides tabs and the ends of lines. */
export function toText(bytes) {
  const text = fromUtf8(bytes);
  return text === null || /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text) ? null : text;
}

/** toHex returns bytes as "0a 1b". */
export const toHex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");

/** fromHex is the inverse of toHex. It ignores white space, and returns null for other texts. */
export function fromHex(text) {
  const digits = text.replace(/\s+/g, "");
  if (!/^([0-9a-f]{2})*$/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** sizeText returns a number of bytes for people, such as "1.5 kB". */
export function sizeText(count) {
  const units = ["kB", "MB", "GB", "TB"];
  if (count < 1000) return count === 1 ? "1 byte" : `${count} bytes`;
  let unit = -1;
  let value = count;
  do {
    value /= 1000;
    unit++;
  } while (value >= 999.5 && unit < units.length - 1);
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** copyText puts a text on the clipboard. It returns false if the browser forbids it. */
export async function copyText(text) {
  if (navigator.clipboard) { // only on pages that came by https, or from this machine
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // fall through: the older way needs no permission
    }
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "off-screen";
  const parent = [...document.querySelectorAll("dialog:modal")].at(-1) ?? document.body;
  const before = document.activeElement;
  parent.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before?.focus();
  return done;
}

/** download offers a file to save, as if the person had clicked a link to it. parts are texts, in UTF-8, or bytes. */
export function download(name, parts, type = "application/octet-stream") {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name.replace(/[/\\\u0000-\u001f]/g, "_") || "value";
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser has begun to save it by then
}
