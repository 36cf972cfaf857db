// Fields for values and TTLs.
import { fromHex, sizeText, toBytes, toHex, toText } from "./bytes.js";
import { html, useId, useState } from "./html.js";
import { LongText } from "./long_text.js";
import { sayError } from "./messages.js";

const longestHex = 100_000; // bytes that can be changed as hex digits

/**
 * draftOf returns what a person changes of bytes: {form, text, lineEnd}. form is "text" or "hex", or "file" for bytes that can only be
 * replaced by a file: {form, bytes}. A text field knows one kind of line end, so lineEnd is added back by bytesOf.
 */
export function draftOf(bytes) {
  const text = toText(bytes);
  if (text !== null && !text.includes("\r")) return { form: "text", text, lineEnd: "\n" };
  if (text !== null && !/\r(?!\n)|(?<!\r)\n/.test(text)) return { form: "text", text: text.replaceAll("\r\n", "\n"), lineEnd: "\r\n" };
  return bytes.length <= longestHex ? { form: "hex", text: toHex(bytes) } : { form: "file", bytes };
}

/** bytesOf returns the bytes of a draft, or null if its text is not in hex. */
export function bytesOf(draft) {
  if (draft.form === "file") return draft.bytes;
  if (draft.form === "hex") return fromHex(draft.text);
  return toBytes(draft.lineEnd === "\n" ? draft.text : draft.text.replaceAll("\n", draft.lineEnd));
}

/** ValueField changes a draft. */
export function ValueField({ draft, set, rows = 12 }) {
  const id = useId();
  const bytes = bytesOf(draft);
  const load = async (event) => {
    const [file] = event.currentTarget.files;
    if (!file) return;
    try {
      set({ form: "file", bytes: new Uint8Array(await file.arrayBuffer()), name: file.name });
    } catch (error) {
      sayError(error, `Reading ${file.name}`);
    }
  };
  const label = { text: "Value", hex: "Value in hex", file: "Value" }[draft.form];
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${draft.form === "file"
      ? html`<p id=${id}>${draft.name ?? "Binary"}, ${sizeText(draft.bytes.length)}
        ${" "}<button type="button" onClick=${() => set({ form: "text", text: "", lineEnd: "\n" })}>Type a value</button></p>`
      : html`<${LongText} id=${id} rows=${rows} text=${draft.text} invalid=${bytes === null} set=${(text) => set({ ...draft, text })} />`}
    <small>${bytes === null ? "Not pairs of hex digits" : sizeText(bytes.length)}</small>
    <label class="file">Take it from a file <input type="file" onChange=${load} /></label>
  </div>`;
}

/** ttlOf returns the TTL for a request that keeps the time that is left. remaining is a function for its seconds, or null without a TTL. */
export const ttlOf = (remaining) => (remaining ? Math.max(1, Math.ceil(remaining())) : undefined);

/**
 * useTtl returns the choice of a TTL: {choice, setChoice, text, setText, valid, seconds, canKeep}. remaining is a function for the seconds
 * of the present TTL, or null without one. Until the person chooses, the present TTL is kept. seconds() is the value for a request,
 * undefined for no TTL. seconds(left) is that for a node with another present TTL.
 */
export function useTtl(remaining) {
  const [chosen, setChoice] = useState("keep");
  const [text, setText] = useState("60");
  const choice = chosen === "keep" && !remaining ? "none" : chosen;
  const valid = choice !== "set" || /^[1-9]\d{0,9}$/.test(text.trim());
  const seconds = (left = remaining) => {
    if (chosen === "set") return Number(text);
    return chosen === "keep" ? ttlOf(left) : undefined;
  };
  return { choice, setChoice, text, setText, valid, seconds, canKeep: Boolean(remaining) };
}

/** TtlField changes the result of useTtl. */
export function TtlField({ ttl }) {
  const id = useId();
  const options = [["none", "No TTL: it stays"], ["set", "Expires after"]];
  if (ttl.canKeep) options.unshift(["keep", "Keep the time that is left"]);
  return html`<fieldset class="field">
    <legend>TTL</legend>
    ${options.map(([value, label]) => html`<label class="choice">
      <input type="radio" name=${id} checked=${ttl.choice === value} onChange=${() => ttl.setChoice(value)} /> ${label}</label>`)}
    <input class="seconds" type="text" inputmode="numeric" aria-label="Seconds" value=${ttl.text} aria-invalid=${!ttl.valid}
      onInput=${(e) => (ttl.setText(e.currentTarget.value), ttl.setChoice("set"))} /> seconds
    ${!ttl.valid && html`<small class="problem">A whole number of seconds, at least 1.</small>`}
  </fieldset>`;
}
