// Dialogs on the <dialog> element, which keeps the focus inside and closes with Escape.
import { html, useEffect, useId, useRef, useState } from "./html.js";

/**
 * Dialog shows its children above the page until its owner removes it. onClose is called when the person closes it. wide gives it most of
 * the window. The element that had the focus gets it back.
 */
export function Dialog({ title, onClose, wide, children }) {
  const ref = useRef(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    ref.current.showModal();
    return () => before?.isConnected && before.focus();
  }, []);
  const cancel = (event) => {
    event.preventDefault(); // the owner removes the dialog
    onClose();
  };
  return html`<dialog ref=${ref} class=${wide ? "wide" : ""} aria-labelledby=${id} onCancel=${cancel}>
    <header>
      <h2 id=${id}>${title}</h2>
      <button type="button" class="quiet" aria-label="Close" onClick=${onClose}>×</button>
    </header>
    ${children}
  </dialog>`;
}

/**
 * FormDialog is a Dialog with a form. submit does the work. It returns a promise: the dialog shows the text of its error and stays open,
 * or calls onClose after success, unless stay is true. confirm is the text of the button, which is disabled while disabled is true or
 * submit runs.
 */
export function FormDialog({ title, onClose, submit, confirm, disabled, danger, wide, stay, children }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const onSubmit = async (event) => {
    event.preventDefault();
    if (busy || disabled) return;
    setBusy(true);
    setProblem("");
    try {
      await submit();
    } catch (error) {
      setProblem(error.message);
      setBusy(false);
      return;
    }
    if (!stay) onClose();
  };
  return html`<${Dialog} title=${title} onClose=${onClose} wide=${wide}>
    <form onSubmit=${onSubmit}>
      ${children}
      <p class="problem" role="alert">${problem}</p>
      <footer>
        <button type="button" onClick=${onClose}>Cancel</button>
        <button type="submit" class=${danger ? "danger" : "primary"} disabled=${busy || disabled}>${confirm}</button>
      </footer>
    </form>
  <//>`;
}

/** Field is a labelled input. attributes are those of <input>; set gets the new text. */
export function Field({ label, hint, value, set, attributes = {} }) {
  const id = useId();
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <input id=${id} value=${value} onInput=${(e) => set(e.currentTarget.value)} autocomplete="off" spellcheck="false"
      aria-describedby=${hint ? id + "-hint" : undefined} ...${attributes} />
    ${hint && html`<small id=${id + "-hint"}>${hint}</small>`}
  </div>`;
}
