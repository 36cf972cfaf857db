// The dialogs that create and delete keys and directories, and change TTLs.
import { codes } from "./codes.js";
import { Commands } from "./command.js";
import { Field, FormDialog } from "./dialog.js";
import { remainingOf } from "./edit.js";
import { html, useEffect, useState } from "./html.js";
import { bytesOf, draftOf, TtlField, useTtl, ValueField } from "./input.js";
import { say } from "./messages.js";
import { clean, isAddressable, join, parentOf } from "./paths.js";
import { plural } from "./units.js";

const mostAttempts = 20; // to write a key that others change
const kinds = [["create", "Key"], ["mkdir", "Directory"], ["createInOrder", "Key in order"]];

/** Create asks for a new key or directory below a directory, and goes to it. path is the suggested path. */
export function Create({ api, directory, path = "", go, onClose }) {
  const [kind, setKind] = useState("create");
  const [name, setName] = useState(path === "" ? "" : path.slice(directory === "/" ? 1 : directory.length + 1));
  const [draft, setDraft] = useState(() => draftOf(new Uint8Array()));
  const ttl = useTtl(null);
  const inOrder = kind === "createInOrder";
  const target = inOrder ? clean(directory + "/" + name) : join(directory, name);
  const bytes = kind === "mkdir" ? undefined : bytesOf(draft);
  const ready = (inOrder || clean(name) !== "/") && bytes !== null && ttl.valid && isAddressable(target);
  const submit = async () => {
    const options = { ttl: ttl.seconds(), prevExist: "false" };
    const write = { create: () => api.put(target, bytes, options), mkdir: () => api.putDirectory(target, options),
      createInOrder: () => api.createInOrder(target, bytes, { ttl: options.ttl }) };
    const { node } = await write[kind]();
    say(`${node.key} was created.`);
    go(node.key);
  };
  return html`<${FormDialog} title=${`Create in ${directory}`} wide=${true} onClose=${onClose} submit=${submit} confirm="Create"
    disabled=${!ready}>
    <fieldset class="field"><legend>What</legend>
      ${kinds.map(([value, label]) => html`<label class="choice">
        <input type="radio" name="kind" checked=${kind === value} onChange=${() => setKind(value)} /> ${label}</label>`)}
    </fieldset>
    <${Field} label=${inOrder ? "Directory below" : "Name"} value=${name} set=${setName}
      hint=${isAddressable(target) ? (inOrder ? `The server chooses a name in ${target}.` : `Creates ${target}. A slash makes directories.`)
        : "A part of a path can't be . or .."} />
    ${kind !== "mkdir" && html`<${ValueField} draft=${draft} set=${setDraft} rows=${6} />`}
    <${TtlField} ttl=${ttl} />
    ${ready && html`<${Commands} api=${api} action=${{ kind, path: target, bytes, ttl: ttl.seconds() }} />`}
  <//>`;
}

// putTtl writes a file once more with another TTL. When somebody else changes the value meanwhile, it keeps the new one.
async function putTtl(api, path, ttl) {
  for (let attempts = 1; ; attempts++) {
    const { bytes, modifiedIndex } = await api.get(path);
    try {
      await api.put(path, bytes, { ttl, prevIndex: modifiedIndex });
      return;
    } catch (error) {
      if (error.code !== codes.compareFailed) throw error;
      if (attempts >= mostAttempts) throw new Error(`${path} changes all the time, so its TTL was not changed. Try again.`);
    }
  }
}

/** ChangeTtl replaces the TTL of a file or directory. refresh makes the page read the node anew. */
export function ChangeTtl({ api, node, refresh, onClose }) {
  const ttl = useTtl(remainingOf(node));
  const submit = async () => {
    const seconds = ttl.seconds();
    if (node.dir) await api.putDirectory(node.key, { ttl: seconds, prevExist: "true" });
    else await putTtl(api, node.key, seconds);
    await refresh();
    say(seconds === undefined ? `${node.key} has no TTL now.` : `${node.key} expires in ${seconds} s.`);
  };
  const action = node.dir ? { kind: "ttl" } : { kind: "put", bytes: node.bytes, prevIndex: node.modifiedIndex };
  return html`<${FormDialog} title=${`TTL of ${node.key}`} onClose=${onClose} submit=${submit} confirm="Set the TTL" disabled=${!ttl.valid}>
    <p class="dim">${node.dir ? "A directory that expires is deleted with everything below it." : "A key that expires is deleted."}</p>
    <${TtlField} ttl=${ttl} />
    ${ttl.valid && html`<${Commands} api=${api} action=${{ ...action, path: node.key, ttl: ttl.seconds() }} />`}
  <//>`;
}

/** Remove deletes a file if it is still as it is shown, or a directory with everything below, whose path must be typed. */
export function Remove({ api, node, go, onClose }) {
  const [typed, setTyped] = useState("");
  const [count, setCount] = useState(null);
  useEffect(() => {
    if (!node.dir) return undefined;
    const abort = new AbortController();
    api.count(node.key, { recursive: true, hidden: true, signal: abort.signal }).then(setCount, () => setCount(null));
    return () => abort.abort();
  }, [api, node.key, node.dir]);
  const submit = async () => {
    await api.remove(node.key, node.dir ? { recursive: true } : { prevIndex: node.modifiedIndex });
    say(`${node.key} was deleted.`);
    go(parentOf(node.key));
  };
  const action = node.dir ? { kind: "removeAll", path: node.key } : { kind: "remove", path: node.key, prevIndex: node.modifiedIndex };
  return html`<${FormDialog} title=${`Delete ${node.key}`} onClose=${onClose} submit=${submit} confirm="Delete" danger=${true}
    disabled=${node.dir && typed !== node.key}>
    ${node.dir ? html`
      <p>This deletes the directory and everything below it${count === null ? "" : `: ${plural(count, "node")}`}.
        It can't be undone.</p>
      <${Field} label="Type the path to confirm" value=${typed} set=${setTyped} />`
    : html`<p>This deletes the key, unless somebody changes it first. It can't be undone.</p>`}
    <${Commands} api=${api} action=${action} />
  <//>`;
}
