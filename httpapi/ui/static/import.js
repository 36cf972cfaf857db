// The dialog that reads a file of an export, shows what it would make, and makes it.
import { Dialog, Field } from "./dialog.js";
import { parseEntries, unexpired } from "./entries.js";
import { html, useId, useState } from "./html.js";
import { clean } from "./paths.js";
import { planWrites, rootsOf } from "./plan.js";
import { PlanView, RunView, useRun } from "./plan_view.js";
import { usePreview } from "./preview.js";
import { maxBytes, readSubtree } from "./subtree.js";
import { plural } from "./units.js";

/** ImportDialog imports a file. Only what is at or below the node is taken from it, unless the person says otherwise. */
export function ImportDialog({ api, node, onClose }) {
  const [form, setForm] = useState({ file: null, below: node.key, overwrite: false, renew: false });
  const { preview, load, clear } = usePreview((signal) => makePlan(api, form, signal));
  const { run, start, cancel, revert, reset } = useRun(api);
  const change = (part) => {
    setForm({ ...form, ...part });
    clear();
    reset();
  };
  const close = () => {
    cancel();
    onClose();
  };
  const { plan } = preview;
  const idle = run.phase === "idle";
  return html`<${Dialog} title="Import" onClose=${close} wide=${plan !== null}>
    <div class="body">
      ${run.phase !== "running" && html`<${ImportForm} form=${form} change=${change} load=${load} busy=${preview.busy} />`}
      <p class="problem" role="alert">${preview.problem}</p>
      ${plan && idle && html`${plan.expired > 0 && html`<p>${plural(plan.expired, "entry", "entries")} have expired since the export.</p>`}
        <${PlanView} plan=${plan} />`}
      ${plan && html`<${RunView} run=${run} plan=${plan} verb="Import" cancel=${cancel} start=${start} revert=${revert} />`}
      <footer>
        <button type="button" onClick=${close}>${idle ? "Cancel" : "Close"}</button>
        ${plan && idle && html`<button type="button" class="primary" disabled=${plan.steps.length === 0 || plan.counts.conflict > 0}
          onClick=${() => start(plan)}>Import</button>`}
      </footer>
    </div>
  <//>`;
}

function ImportForm({ form, change, load, busy }) {
  const id = useId();
  const submit = (event) => {
    event.preventDefault();
    if (form.file && !busy) load();
  };
  return html`<form onSubmit=${submit}>
    <div class="field"><label for=${id}>File</label>
      <input id=${id} type="file" accept=".jsonl,.ndjson,.json,.txt" aria-describedby=${id + "-hint"}
        onChange=${(e) => change({ file: e.currentTarget.files[0] ?? null })} />
      <small id=${id + "-hint"}>JSON lines, as Export and pando ctl export write them. Keys keep their paths.</small></div>
    <${Field} label="Only at and below" value=${form.below} set=${(text) => change({ below: text })} hint="/ takes the whole file." />
    <label class="line"><input type="checkbox" checked=${form.overwrite} onChange=${() => change({ overwrite: !form.overwrite })} />
      ${" "}Overwrite keys that have another value</label>
    <label class="line"><input type="checkbox" checked=${form.renew} onChange=${() => change({ renew: !form.renew })} />
      ${" "}Start TTLs anew, with the seconds that were left at the export</label>
    <p><button type="submit" disabled=${!form.file || busy}>${busy ? "Reading …" : "Preview"}</button></p>
  </form>`;
}

async function makePlan(api, { file, below, overwrite, renew }, signal) {
  if (file.size > maxBytes) throw new Error(`${file.name} is too large for a browser. Use the command pando ctl import.`);
  const entries = parseEntries(await file.text(), file.name, clean(below));
  const { left, expired } = unexpired(entries, Date.now(), renew);
  const existing = new Map();
  for (const root of rootsOf(left)) {
    const subtree = await readSubtree(api, root, { hidden: true, signal });
    for (const n of subtree?.nodes ?? []) existing.set(n.key, n);
  }
  return { ...planWrites(left, existing, overwrite), expired };
}
