// The history of a key or a subtree: its events as far as the member has them, and the way back to an earlier value.
import { replacement, toBytes } from "./bytes.js";
import { codes } from "./codes.js";
import { Diff } from "./diff.js";
import { FormDialog } from "./dialog.js";
import { remainingOf } from "./edit.js";
import { isRemoval, readEvents } from "./events.js";
import { html, useCallback, useEffect, useRef, useState } from "./html.js";
import { ttlOf } from "./input.js";
import { say } from "./messages.js";
import { plural } from "./units.js";

const pageSize = 25;

/** History shows the events of the key at path, and for a directory those of what is below it, when the person opens it. */
export function History({ api, path, node, readonly }) {
  const [open, setOpen] = useState(false);
  return html`<details class="history" open=${open} onToggle=${(e) => setOpen(e.currentTarget.open)}>
    <summary>History</summary>
    ${open && html`<${Events} key=${path} api=${api} path=${path} recursive=${Boolean(node.dir)} readonly=${readonly} />`}
  </details>`;
}

// The right to watch a single key is enough for the events of a key.
function Events({ api, path, recursive, readonly }) {
  const [state, setState] = useState({ history: null, problem: "" });
  const [shown, setShown] = useState(pageSize);
  const [restoring, setRestoring] = useState(null);
  const stop = useRef(null);
  const load = useCallback(async () => {
    stop.current?.abort();
    const { signal } = (stop.current = new AbortController());
    try {
      const history = await readEvents(api, path, { recursive, signal });
      if (!signal.aborted) setState({ history, problem: "" });
    } catch (error) {
      if (!signal.aborted) setState({ history: null, problem: error.message });
    }
  }, [api, path, recursive]);
  useEffect(() => {
    load();
    return () => stop.current.abort();
  }, [load]);
  const { history, problem } = state;
  if (problem) return html`<p class="problem" role="alert">The history can't be shown: ${problem}</p>`;
  if (!history) return html`<p class="dim" role="status">Reading the history …</p>`;
  const newestFirst = [...history.events].reverse();
  return html`<div>
    <p role="status">${summaryOf(history)} <button type="button" onClick=${load}>Read again</button></p>
    <ol class="events">${newestFirst.slice(0, shown).map((event) => html`<${Event} key=${keyOf(event)} event=${event} path=${path}
      restore=${readonly ? null : setRestoring} />`)}</ol>
    ${shown < newestFirst.length && html`<button type="button" onClick=${() => setShown(shown + pageSize)}>Show older events</button>`}
    ${restoring && html`<${RestoreDialog} api=${api} ...${restoring} onClose=${() => setRestoring(null)} reload=${load} />`}
  </div>`;
}

const keyOf = ({ action, node }) => `${node.modifiedIndex} ${action} ${node.key}`;

function summaryOf({ events, oldest, index, dropped }) {
  const range = oldest > 0 ? ` The member has the events from index ${oldest} to ${index} of the whole tree.` : "";
  const left = dropped > 0 ? ` ${plural(dropped, "older event")} are not shown.` : "";
  const number = events.length === 0 ? "There are no events here that the member still has." : `${plural(events.length, "event")}.`;
  return number + left + range;
}

// The actions, in words.
const verbs = {
  set: "set", create: "created", update: "updated", compareAndSwap: "changed by compare-and-swap", delete: "deleted",
  compareAndDelete: "deleted by compare-and-delete", expire: "expired",
};

function Event({ event, path, restore }) {
  const { node, prevNode, action } = event;
  const value = isRemoval(action) ? prevNode?.value : node.value;
  const key = node.key ?? "/";
  return html`<li class="event">
    <div class="event-head">
      <strong>${verbs[action] ?? action}</strong>
      <span class="dim">index ${node.modifiedIndex}</span>
      ${key !== path && html`<code>${key}${node.dir ? "/" : ""}</code>`}
      ${node.ttl > 0 && html`<span class="badge">TTL ${node.ttl} s then</span>`}
      <span class="spring"></span>
      ${restore && value !== undefined && !node.dir && html`<${RestoreButton} node=${node} value=${value} removed=${isRemoval(action)}
        restore=${restore} />`}
    </div>
    ${!node.dir && html`<${Change} index=${node.modifiedIndex} before=${prevNode?.value}
      after=${isRemoval(action) ? undefined : node.value} />`}
  </li>`;
}

const longestLine = 200; // characters of a value that is shown as it is

// Change shows how an event changed a value. A short value is shown as it is, a longer one as a difference by lines when the person asks
// for it.
function Change({ index, before, after }) {
  const [open, setOpen] = useState(false);
  if (before === after) return html`<p class="dim">The same value as before.</p>`;
  const isShort = (text) => text === undefined || (text.length <= longestLine && !text.includes("\n"));
  if (isShort(before) && isShort(after)) {
    return html`<p class="change">${before !== undefined && html`<del>${before}</del> `}
      ${after !== undefined && html`<ins>${after}</ins>`}</p>`;
  }
  return html`<details open=${open} onToggle=${(e) => setOpen(e.currentTarget.open)}>
    <summary>Differences at index ${index}</summary>
    ${open && html`<${Diff} before=${before ?? ""} after=${after ?? ""} beforeName="before" afterName="after" />`}
  </details>`;
}

function RestoreButton({ node, value, removed, restore }) {
  if (value.includes(replacement)) return html`<span class="dim">The value is no text, so it can't be restored from here.</span>`;
  const label = `Restore ${node.key} as of index ${removed ? node.modifiedIndex - 1 : node.modifiedIndex}`;
  return html`<button type="button" aria-label=${label} onClick=${() => restore({ path: node.key, value })}>Restore</button>`;
}

// RestoreDialog compares a former value with the present one, and writes it if nobody changes the key meanwhile.
function RestoreDialog({ api, path, value, onClose, reload }) {
  const [present, setPresent] = useState(undefined); // null if there is no such key
  const [problem, setProblem] = useState("");
  const read = useCallback(async () => {
    setProblem("");
    try {
      setPresent(await api.get(path));
    } catch (error) {
      if (error.code === codes.notFound) setPresent(null);
      else setProblem(error.message);
    }
  }, [api, path]);
  useEffect(() => {
    read();
  }, [read]);
  const text = present?.bytes ? new TextDecoder().decode(present.bytes) : "";
  const same = present && !present.dir && text === value;
  const submit = async () => {
    const conditions = present ? { prevIndex: present.modifiedIndex, ttl: ttlOf(remainingOf(present)) } : { prevExist: "false" };
    try {
      await api.put(path, toBytes(value), conditions);
    } catch (error) {
      if (![codes.notFound, codes.compareFailed, codes.exists].includes(error.code)) throw error;
      await read();
      throw new Error("Somebody has changed the key meanwhile. The comparison shows its present value now.");
    }
    say(`${path} has the former value again.`);
    reload();
  };
  return html`<${FormDialog} title=${`Restore ${path}`} confirm="Restore" wide onClose=${onClose} submit=${submit}
    disabled=${present === undefined || present?.dir || same}>
    <p role="status">${statusOf(present, same)}</p>
    <p class="problem">${problem}</p>
    ${present !== undefined && !present?.dir && !same && html`<${Diff} before=${text} after=${value} beforeName="present value"
      afterName="former value" />`}
  <//>`;
}

function statusOf(present, same) {
  if (present === undefined) return "Reading the present value …";
  if (present === null) return "The key does not exist now. It is created with this value.";
  if (present.dir) return "There is a directory now. Remove it first.";
  if (same) return "This is the present value.";
  return "From the present value to the former one. The key is written only if nobody changes it meanwhile, and keeps its TTL.";
}
