// A value as people read it: JSON, YAML, text or hex, with colours and line numbers.
import { toHex, toText } from "./bytes.js";
import { formatJson, Highlighter, languageOf } from "./highlight.js";
import { html, useMemo, useState } from "./html.js";
import { VirtualList } from "./virtual.js";

const names = { json: "JSON", yaml: "YAML", text: "Text", hex: "Hex" };
const hexColumns = 16;

/** Value shows bytes. The person chooses the form. */
export function Value({ bytes }) {
  const text = useMemo(() => toText(bytes), [bytes]);
  const guess = useMemo(() => (text === null ? "hex" : languageOf(text)), [text]);
  const [choice, setChoice] = useState("auto");
  const [pretty, setPretty] = useState(false);
  const form = choice === "auto" || (text === null && choice !== "hex") ? guess : choice;
  const offered = text === null ? ["hex"] : ["json", "yaml", "text", "hex"];
  const canFormat = form === "json" && guess === "json";
  return html`<section class="value" aria-label="Value">
    <div class="value-tools">
      <label>Show as <select aria-label="Show as" value=${choice} onChange=${(e) => setChoice(e.currentTarget.value)}>
        <option value="auto">Automatic (${names[guess]})</option>
        ${offered.map((name) => html`<option value=${name}>${names[name]}</option>`)}
      </select></label>
      ${canFormat && html`<label>
        <input type="checkbox" checked=${pretty} onChange=${(e) => setPretty(e.currentTarget.checked)} /> One item per line</label>`}
    </div>
    ${form === "hex" ? html`<${Hex} bytes=${bytes} />` : html`<${Code} text=${text} language=${form} pretty=${pretty && canFormat} />`}
  </section>`;
}

// attributesOf returns those of a list of rows of code, which keys scroll.
const attributesOf = (rows, label) => ({
  class: "code", tabIndex: 0, role: "region", "aria-label": label, style: { "--rows": Math.max(3, Math.min(rows, 24)) },
});

function Code({ text, language, pretty }) {
  const lines = useMemo(() => new Highlighter(pretty ? formatJson(text) : text, language), [text, language, pretty]);
  const row = (i) => html`<div key=${i} class="row">
    <span class="line-number" aria-hidden="true">${lines.rows[i].line || ""}</span>
    <code>${lines.tokens(i).map((t) => (t.type ? html`<span class=${"token-" + t.type}>${t.text}</span>` : t.text))}</code>
  </div>`;
  return html`<${VirtualList} count=${lines.rows.length} row=${row} attributes=${attributesOf(lines.rows.length, "Content")} />`;
}

function Hex({ bytes }) {
  const count = Math.max(1, Math.ceil(bytes.length / hexColumns));
  const row = (i) => {
    const part = bytes.subarray(i * hexColumns, (i + 1) * hexColumns);
    const hex = toHex(part);
    const shown = Array.from(part, (b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : "·")).join("");
    return html`<div key=${i} class="row">
      <span class="line-number">${(i * hexColumns).toString(16).padStart(6, "0")}</span>
      <code>${hex.padEnd(hexColumns * 3)}<span class="token-string">${shown}</span></code>
    </div>`;
  };
  return html`<${VirtualList} count=${count} row=${row} attributes=${attributesOf(count, "Content in hex")} />`;
}
