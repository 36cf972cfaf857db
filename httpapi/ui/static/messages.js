// Short messages for the person: that a change is done, or why it failed. Screen readers announce them.
import { html, useEffect, useState } from "./html.js";

const shownFor = 6000; // milliseconds
const listeners = new Set();
let messages = [];
let nextId = 1;

function publish(list) {
  messages = list;
  for (const listener of listeners) listener(list);
}

/** say shows a message for some seconds. kind is "info" or "error". */
export function say(text, kind = "info") {
  const id = nextId++;
  publish([...messages.slice(-3), { id, text, kind }]);
  setTimeout(() => dismiss(id), kind === "error" ? 2 * shownFor : shownFor);
}

/** sayError shows why something failed. An aborted request is no failure. */
export function sayError(error, what) {
  if (error.name === "AbortError") return;
  say(`${what}: ${error.message}`, "error");
}

const dismiss = (id) => publish(messages.filter((m) => m.id !== id));

/** Messages is the place of the messages in the page. */
export function Messages() {
  const [list, setList] = useState(messages);
  useEffect(() => {
    listeners.add(setList);
    return () => listeners.delete(setList);
  }, []);
  return html`<div class="messages" role="status" aria-live="polite">
    ${list.map((m) => html`<div key=${m.id} class="message ${m.kind}">
      <span>${m.text}</span>
      <button type="button" class="quiet" aria-label="Dismiss" onClick=${() => dismiss(m.id)}>×</button>
    </div>`)}
  </div>`;
}
