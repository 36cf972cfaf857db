// The dialog that changes a value. It writes only if the key is as the person saw it; if not, it shows the difference.
import { toText } from "./bytes.js";
import { codes } from "./codes.js";
import { Commands } from "./command.js";
import { Dialog, FormDialog } from "./dialog.js";
import { Diff } from "./diff.js";
import { html, useEffect, useState } from "./html.js";
import { bytesOf, draftOf, TtlField, useTtl, ValueField } from "./input.js";
import { say } from "./messages.js";
import { timeLeft } from "./units.js";

const textOf = (bytes) => toText(bytes) ?? draftOf(bytes).text ?? "(binary)";

/** remainingOf returns a function for the seconds that a node has left, or null if it has no TTL. */
export const remainingOf = (node) => (node.ttl === undefined ? null : () => node.ttl - (performance.now() - node.at) / 1000);

/**
 * Edit changes the file node. latest is the node as the page knows it now, with live changes, or null if it is gone. refresh makes the page
 * read the node anew. onClose is called at the end.
 */
export function Edit({ api, node, latest, refresh, onClose }) {
  const [base, setBase] = useState(node); // what the person's text began as, and what the key must still be
  const [draft, setDraft] = useState(() => draftOf(node.bytes));
  const [conflict, setConflict] = useState(null);
  const ttl = useTtl(remainingOf(base));
  const bytes = bytesOf(draft);
  // secondsFor returns the TTL that the key gets in place of theirs. A key that is gone had the time that base had left.
  const secondsFor = (theirs) => ttl.seconds(theirs ? remainingOf(theirs) : base.ttl === undefined ? null : () => base.ttl);
  const write = async (conditions) => {
    await api.put(node.key, bytes, { ttl: ttl.seconds(), ...conditions });
    await refresh();
    say(`${node.key} was saved.`);
    onClose();
  };
  const save = async () => {
    try {
      await write({ prevIndex: base.modifiedIndex });
    } catch (error) {
      if (error.code !== codes.compareFailed && error.code !== codes.notFound) throw error;
      setConflict(await theirsOf(api, node.key));
    }
  };
  if (conflict) {
    const again = (edited) => {
      if (conflict.theirs) setBase(conflict.theirs);
      if (edited) setDraft(edited);
      setConflict(null);
    };
    const overwrite = (theirs) =>
      write({ ...(theirs ? { prevIndex: theirs.modifiedIndex } : { prevExist: "false" }), ttl: secondsFor(theirs) });
    return html`<${Conflict} path=${node.key} mine=${bytes} theirs=${conflict.theirs} again=${again} onClose=${onClose}
      overwrite=${overwrite} seconds=${secondsFor(conflict.theirs)} />`;
  }
  const changed = latest === null || latest.modifiedIndex > base.modifiedIndex;
  return html`<${FormDialog} title=${`Edit ${node.key}`} wide=${true} onClose=${onClose} submit=${save} confirm="Save" stay=${true}
    disabled=${bytes === null || !ttl.valid}>
    ${changed && html`<p class="notice" role="status">${latest ? "Somebody changed this key." : "Somebody deleted this key."}
      ${" "}<button type="button" onClick=${async () => setConflict(await theirsOf(api, node.key))}>Show the difference</button></p>`}
    <${ValueField} draft=${draft} set=${setDraft} />
    <${TtlField} ttl=${ttl} />
    ${bytes && ttl.valid && html`<${Commands} api=${api} action=${{
      kind: "put", path: node.key, bytes, ttl: ttl.seconds(), prevIndex: base.modifiedIndex,
    }} />`}
  <//>`;
}

// theirsOf reads what the key is now. theirs is null if it is gone.
async function theirsOf(api, path) {
  try {
    const theirs = await api.get(path);
    return { theirs: theirs.dir ? null : theirs };
  } catch (error) {
    if (error.code === codes.notFound) return { theirs: null };
    throw error;
  }
}

// Conflict asks what shall become of a key that somebody else has changed or deleted. seconds is the TTL of a value that overwrites it.
function Conflict({ path, mine, theirs, again, overwrite, seconds, onClose }) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const keepMine = async () => {
    setBusy(true);
    try {
      await overwrite(theirs);
    } catch (error) {
      setProblem(error.code === codes.compareFailed || error.code === codes.exists ? "It was changed once more." : error.message);
      setBusy(false);
    }
  };
  const takeTheirs = () => {
    say(theirs ? `${path} stays as it is on the server.` : `${path} stays deleted.`);
    onClose();
  };
  return html`<${Dialog} title=${theirs ? "Somebody else was faster" : "The key was deleted"} wide=${true} onClose=${() => again()}>
    <div class="body">
      <p><code>${path}</code> was ${theirs ? "changed" : "deleted"} while you edited it.</p>
      ${theirs && html`<${Diff} before=${textOf(theirs.bytes)} after=${textOf(mine)} beforeName="on the server" afterName="yours" />`}
      ${seconds !== undefined && html`<p class="dim">What you write expires after ${timeLeft(seconds)}.</p>`}
      <p class="problem" role="alert">${problem}</p>
      <footer>
        <button type="button" disabled=${busy} onClick=${takeTheirs}>${theirs ? "Take theirs" : "Leave it deleted"}</button>
        <button type="button" disabled=${busy} onClick=${() => again()}>Edit again</button>
        <button type="button" class="danger" disabled=${busy} onClick=${keepMine}>${theirs ? "Keep mine" : "Create it again"}</button>
      </footer>
    </div>
  <//>`;
}

/** useChangedNotice is true for a moment after the index of a node has changed. */
export function useChangedNotice(index) {
  const [seen, setSeen] = useState({ index, fresh: false });
  useEffect(() => {
    if (index === seen.index) return undefined;
    setSeen({ index, fresh: seen.index !== undefined });
    return undefined;
  }, [index]);
  useEffect(() => {
    if (!seen.fresh) return undefined;
    const timer = setTimeout(() => setSeen({ ...seen, fresh: false }), 3000);
    return () => clearTimeout(timer);
  }, [seen]);
  return seen.fresh;
}
