// The dialog that renames or copies a key or a subtree.
import { Dialog, Field } from "./dialog.js";
import { html, useState } from "./html.js";
import { say } from "./messages.js";
import { clean, isAddressable, nameOf } from "./paths.js";
import { planCopy, problemOf } from "./plan.js";
import { PlanView, RunView, useRun } from "./plan_view.js";
import { usePreview } from "./preview.js";
import { readSubtree } from "./subtree.js";
import { plural } from "./units.js";

/** CopyDialog asks for the new path, shows what would be made, and makes it. */
export function CopyDialog({ api, node, navigate, onClose }) {
  const from = node.key;
  const [form, setForm] = useState({ to: from, rename: from !== "/", hidden: false, overwrite: false });
  const { preview, load, clear } = usePreview((signal) => makePlan(api, from, form, signal));
  const target = clean(form.to);
  const show = () => {
    onClose();
    navigate("keys", target);
  };
  const { run, start, cancel, revert, reset } = useRun(api, (atOnce) => {
    say(`${from} is ${form.rename ? "renamed" : "copied"} to ${target}${atOnce ? ", in one transaction" : ""}.`);
    if (form.rename) show();
  });
  const verb = form.rename ? "Rename" : "Copy";
  const change = (part) => {
    setForm({ ...form, ...part });
    clear();
    reset();
  };
  const { plan } = preview;
  const idle = run.phase === "idle";
  const empty = plan !== null && plan.steps.length + plan.removals.length === 0;
  const close = () => {
    cancel();
    onClose();
  };
  return html`<${Dialog} title=${`${from === "/" ? "Copy" : "Rename or copy"} ${from}`} onClose=${close} wide=${plan !== null}>
    <div class="body">
      ${run.phase !== "running" && html`<${CopyForm} from=${from} form=${form} change=${change} load=${load} busy=${preview.busy} />`}
      <p class="problem" role="alert">${preview.problem}</p>
      ${plan && idle && html`<${PlanView} plan=${plan} />`}
      ${plan && html`<${RunView} run=${run} plan=${plan} verb=${verb} cancel=${cancel} start=${start} revert=${revert} />`}
      <footer>
        <button type="button" onClick=${close}>${idle ? "Cancel" : "Close"}</button>
        ${plan && idle && html`<button type="button" class="primary" disabled=${empty || plan.counts.conflict > 0}
          onClick=${() => start(plan)}>${verb}</button>`}
        ${run.phase === "done" && html`<button type="button" class="primary" onClick=${show}>Show ${nameOf(target)}</button>`}
      </footer>
    </div>
  <//>`;
}

function CopyForm({ from, form, change, load, busy }) {
  const to = clean(form.to);
  const problem = isAddressable(to) ? problemOf(from, to, form.rename) : "A name must not be . or ..";
  const submit = (event) => {
    event.preventDefault();
    if (problem === "" && !busy) load();
  };
  return html`<form onSubmit=${submit}>
    ${from !== "/" && html`<fieldset class="choice"><legend>What to do</legend>
      <label><input type="radio" name="kind" checked=${form.rename} onChange=${() => change({ rename: true })} /> Rename</label>
      <label><input type="radio" name="kind" checked=${!form.rename} onChange=${() => change({ rename: false })} /> Copy</label>
    </fieldset>`}
    <${Field} label="New path" value=${form.to} set=${(text) => change({ to: text })} attributes=${{ autofocus: true }}
      hint=${form.to !== from && problem ? problem : "The whole path. Missing directories are made. TTLs are kept."} />
    <label class="line"><input type="checkbox" checked=${form.hidden} onChange=${() => change({ hidden: !form.hidden })} />
      ${" "}With hidden keys, whose names begin with _</label>
    <label class="line"><input type="checkbox" checked=${form.overwrite} onChange=${() => change({ overwrite: !form.overwrite })} />
      ${" "}Overwrite values at the new path</label>
    <p><button type="submit" disabled=${problem !== "" || busy}>${busy ? "Reading …" : "Preview"}</button></p>
  </form>`;
}

async function makePlan(api, from, { to, rename, hidden, overwrite }, signal) {
  const target = clean(to);
  const source = await readSubtree(api, from, { hidden, signal });
  if (!source) throw new Error(`${from} does not exist any more.`);
  if (source.nodes.length === 0) throw new Error(`${from} has nothing to copy.`);
  if (rename && !hidden) await refuseHidden(api, from, source.nodes, signal);
  const there = await readSubtree(api, target, { hidden: true, signal });
  const existing = new Map((there?.nodes ?? []).map((n) => [n.key, n]));
  return planCopy({ from, to: target, nodes: source.nodes, existing, overwrite, remove: rename });
}

// refuseHidden throws an error if a subtree that is to be renamed has hidden nodes: they would be left behind.
async function refuseHidden(api, from, nodes, signal) {
  const all = await api.count(from, { recursive: true, hidden: true, signal });
  const hidden = all - nodes.filter((n) => n.key !== from).length;
  if (hidden <= 0) return;
  throw new Error(`${from} has ${plural(hidden, "hidden key or directory", "hidden keys and directories")}: take them along, or copy.`);
}
