// Shows a plan before it is carried out, and its progress and result afterwards.
import { html, useRef, useState } from "./html.js";
import { aged, fitsTransaction, isUnavailable, partsOf, runAtOnce, runParts, runSteps, undo } from "./run.js";
import { plural } from "./units.js";

const shownItems = 200;
const order = { conflict: 0, replace: 1, new: 2, same: 3 };
const names = { new: "new", same: "exists, the same", replace: "overwrites a value", conflict: "in the way" };

/** PlanView shows the items of a plan, with the conflicts first. */
export function PlanView({ plan }) {
  const { counts, items, removals, steps } = plan;
  const sorted = [...items].sort((a, b) => order[a.state] - order[b.state]);
  const texts = [
    plural(counts.new, "new key or directory", "new keys and directories"),
    counts.replace > 0 && plural(counts.replace, "overwritten value"),
    counts.same > 0 && `${counts.same} that exist already with the same value`,
    counts.conflict > 0 && `${counts.conflict} in the way`,
    removals.length > 0 && `${removals.length} removed at the old path`,
  ].filter(Boolean);
  return html`<div class="plan">
    <p role="status"><strong>${texts.join(", ")}.</strong></p>
    ${counts.conflict > 0 && html`<p class="problem">Nothing is written while something is in the way.</p>`}
    ${steps.length + removals.length > 0 && counts.conflict === 0 && html`<p>${methodOf(plan)}</p>`}
    <div class="scrolling limited" tabindex="0" role="region" aria-label="What the change makes">
      <table><thead><tr><th scope="col">Path</th><th scope="col">State</th><th scope="col">TTL</th></tr></thead>
        <tbody>${sorted.slice(0, shownItems).map((item) => html`<tr key=${item.key}>
          <th scope="row"><code>${item.key}${item.dir ? "/" : ""}</code></th>
          <td class=${item.state === "conflict" ? "problem" : ""}>${names[item.state]}${item.reason ? `: ${item.reason}` : ""}</td>
          <td>${item.ttl ? `${item.ttl} s` : ""}</td>
        </tr>`)}</tbody></table>
    </div>
    ${items.length > shownItems && html`<p class="dim">And ${items.length - shownItems} more.</p>`}
  </div>`;
}

function methodOf(plan) {
  const total = plan.steps.length + plan.removals.length;
  if (fitsTransaction(plan)) return `One transaction of ${plural(total, "operation")}: all of it happens, or nothing.`;
  return `${plural(total, "operation")}, which do not fit into one transaction: ${plural(partsOf(plan).length, "request")}, one after ` +
    "the other. This is not atomic: others see what is between two requests, and if it is interrupted, a part is done.";
}

/**
 * useRun carries out plans. It returns {run, start, cancel, revert, reset}: the state, and functions. run is {phase}: "idle", "running"
 * (done, total), "refused" (the server takes no transaction of this plan; start with steps), "done" (atOnce), "failed" or "canceled"
 * (error, done, total), and "reverted" (left). After a success it calls onDone(atOnce), also if the dialog has ended meanwhile: the page
 * removes it with the node that was renamed.
 */
export function useRun(api, onDone = () => {}) {
  const [run, setRun] = useState({ phase: "idle" });
  const stop = useRef(null);
  const start = async (plan, { steps = false } = {}) => {
    const total = plan.steps.length + plan.removals.length;
    const current = aged(plan, (performance.now() - plan.readAt) / 1000);
    stop.current = new AbortController();
    setRun({ phase: "running", done: 0, total });
    const onProgress = (done) => setRun({ phase: "running", done, total });
    const atOnce = !steps && fitsTransaction(plan);
    const carryOut = atOnce ? tryAtOnce : steps ? runSteps : runParts;
    const { done, error } = await carryOut(api, current, { signal: stop.current.signal, onProgress });
    if (!error) {
      setRun({ phase: "done", atOnce });
      onDone(atOnce);
    } else setRun({ phase: phaseOf(error, done, steps), error, done, total });
  };
  const cancel = () => stop.current?.abort();
  const revert = async (plan) => {
    const { done } = run;
    setRun({ phase: "running", done: 0, total: done.length });
    setRun({ phase: "reverted", left: await undo(api, plan, done) });
  };
  const reset = () => setRun({ phase: "idle" });
  return { run, start, cancel, revert, reset };
}

// isUnknown reports whether a request that failed with an error may have had an effect.
const isUnknown = ({ status }) => status === 0 || status === 500 || status === 504;

function phaseOf(error, done, steps) {
  if (error.name === "AbortError") return "canceled";
  return !steps && done.length === 0 && isUnavailable(error) ? "refused" : "failed";
}

// tryAtOnce is runAtOnce with the result of runParts.
async function tryAtOnce(api, plan) {
  try {
    await runAtOnce(api, plan);
    return { done: [], error: null };
  } catch (error) {
    return { done: [], error };
  }
}

/** RunView shows the progress or the result of a run. */
export function RunView({ run, plan, verb, cancel, start, revert }) {
  if (run.phase === "running") {
    return html`<div class="run">
      <progress aria-label="Progress" value=${run.done} max=${Math.max(run.total, 1)}></progress>
      <p role="status">${run.done} of ${run.total} operations are done.</p>
      ${!fitsTransaction(plan) && html`<button type="button" onClick=${cancel}>Stop</button>`}
    </div>`;
  }
  if (run.phase === "refused") {
    return html`<div class="run"><p class="problem" role="alert">Nothing was written. The server takes no transaction for this now:
        ${" "}${run.error.message}</p>
      <p>Step by step is possible. It is not atomic: if it is interrupted, a part is done.</p>
      <button type="button" onClick=${() => start(plan, { steps: true })}>${verb} step by step</button>
    </div>`;
  }
  if (run.phase === "done") return html`<p role="status">Done${run.atOnce ? ", in one transaction" : ""}.</p>`;
  if (run.phase === "reverted") {
    return html`<p role="status">${run.left === 0 ? "What was written is removed." :
      `${plural(run.left, "key")} could not be removed, because somebody has changed them or is using the directory.`}</p>`;
  }
  if (run.phase === "idle") return null;
  const extent = run.done.length > 0 ? ` ${run.done.length} of ${run.total} operations are done.` : " Nothing was written.";
  const unknown = isUnknown(run.error);
  const undoable = run.done.length > 0 && run.done.every((s) => s.action === "create");
  return html`<div class="run">
    <p class="problem" role="alert">${run.phase === "canceled" ? "Stopped." : `It failed: ${run.error.message}.`}
      ${(!unknown || run.done.length > 0) && extent}
      ${unknown && " The last request may have been carried out: look at the keys before you go on."}</p>
    ${run.done.length < run.total && html`<p>Make the preview again to go on from what exists now.</p>`}
    ${undoable && html`<button type="button" onClick=${() => revert(plan)}>Remove what was written</button>`}
  </div>`;
}
