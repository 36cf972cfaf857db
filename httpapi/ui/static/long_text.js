// A text field for texts of any length. Browsers take seconds for each key in a field of ten thousand lines, so a long text is changed in
// sections.
import { html, useEffect, useState } from "./html.js";

const sectionLines = 1000;
const sectionLength = 200_000; // characters
const largePaste = 20_000; // characters that are put into the text without the field

// endOf returns where a section that begins at start ends: after a line, or within a very long one.
function endOf(text, start) {
  let end = start;
  for (let line = 0; line < sectionLines; line++) {
    const at = text.indexOf("\n", end);
    if (at < 0) return Math.min(text.length, start + sectionLength);
    if (at + 1 - start > sectionLength) return end > start ? end : start + sectionLength;
    end = at + 1;
  }
  return end;
}

// startOf returns where a section that ends at end begins.
function startOf(text, end) {
  let start = end;
  for (let line = 0; line < sectionLines && start > 0; line++) {
    const at = start < 2 ? -1 : text.lastIndexOf("\n", start - 2);
    if (end - at - 1 > sectionLength) return start < end ? start : end - sectionLength;
    start = at + 1;
  }
  return start;
}

const lineAt = (text, at) => {
  let line = 1;
  for (let i = text.indexOf("\n"); i >= 0 && i < at; i = text.indexOf("\n", i + 1)) line++;
  return line;
};

/** LongText is a <textarea> for text. set gets the whole changed text. invalid marks it. */
export function LongText({ id, rows, text, set, invalid }) {
  const [place, setPlace] = useState(() => ({ start: 0, end: endOf(text, 0) }));
  const valid = place.end <= text.length;
  useEffect(() => {
    if (!valid) setPlace({ start: 0, end: endOf(text, 0) });
  }, [valid]);
  const { start, end } = valid ? place : { start: 0, end: endOf(text, 0) };
  const replace = (part) => {
    set(text.slice(0, start) + part + text.slice(end));
    setPlace({ start, end: start + part.length });
  };
  const paste = (event) => {
    const pasted = event.clipboardData.getData("text/plain").replaceAll("\r\n", "\n");
    if (pasted.length < largePaste) return;
    event.preventDefault();
    const { selectionStart, selectionEnd, value } = event.currentTarget;
    const changed = text.slice(0, start) + value.slice(0, selectionStart) + pasted + value.slice(selectionEnd) + text.slice(end);
    set(changed);
    setPlace({ start, end: endOf(changed, start) });
  };
  const whole = start === 0 && end === text.length;
  return html`
    ${!whole && html`<div class="sections" role="group" aria-label="Sections of the text">
      <button type="button" disabled=${start === 0} onClick=${() => setPlace({ start: startOf(text, start), end: start })}>Earlier</button>
      <span>From line ${lineAt(text, start)}</span>
      <button type="button" disabled=${end === text.length} onClick=${() => setPlace({ start: end, end: endOf(text, end) })}>Later</button>
    </div>`}
    <textarea id=${id} rows=${rows} spellcheck="false" autocomplete="off" value=${text.slice(start, end)} aria-invalid=${invalid}
      onInput=${(e) => replace(e.currentTarget.value)} onPaste=${paste}></textarea>`;
}
