// The dialog that saves a subtree as a file of JSON lines.
import { download } from "./bytes.js";
import { Dialog } from "./dialog.js";
import { lineOf } from "./entries.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { nameOf } from "./paths.js";
import { readSubtree } from "./subtree.js";
import { plural } from "./units.js";

/** ExportDialog reads the subtree of a node, and gives it to the person as a file. */
export function ExportDialog({ api, node, onClose }) {
  const [hidden, setHidden] = useState(false);
  const [state, setState] = useState({ busy: false, read: 0, text: "", problem: "" });
  const stop = useRef(null);
  useEffect(() => () => stop.current?.abort(), []);
  const save = async () => {
    stop.current = new AbortController();
    const { signal } = stop.current;
    setState({ busy: true, read: 0, text: "", problem: "" });
    try {
      const onProgress = (read) => setState({ busy: true, read, text: "", problem: "" });
      const subtree = await readSubtree(api, node.key, { hidden, signal, onProgress });
      if (!subtree) throw new Error(`${node.key} does not exist any more.`);
      download(fileName(node.key), subtree.nodes.map(lineOf), "application/x-ndjson");
      setState({ busy: false, read: 0, text: summaryOf(subtree), problem: "" });
    } catch (error) {
      if (!signal.aborted) setState({ busy: false, read: 0, text: "", problem: error.message });
    }
  };
  return html`<${Dialog} title=${`Export ${node.key}`} onClose=${onClose}>
    <div class="body">
      <p>A file with one JSON object for each key, its value and its TTL, as it is at one moment. Import reads it, and so does
        ${" "}<code>pando ctl import</code>.</p>
      <label class="line"><input type="checkbox" checked=${hidden} disabled=${state.busy} onChange=${() => setHidden(!hidden)} />
        ${" "}With hidden keys, whose names begin with _</label>
      <p role="status">${state.busy ? `${plural(state.read, "key")} read …` : state.text}</p>
      <p class="problem" role="alert">${state.problem}</p>
      <footer>
        <button type="button" onClick=${onClose}>${state.text ? "Close" : "Cancel"}</button>
        <button type="button" class="primary" disabled=${state.busy} onClick=${save}>Save the file</button>
      </footer>
    </div>
  <//>`;
}

function summaryOf({ nodes, index }) {
  const binary = nodes.filter((n) => n.bytes).length;
  const text = `${plural(nodes.length, "key or directory", "keys and directories")} saved, as of index ${index}.`;
  if (binary === 0) return text;
  return `${text} JSON can't carry bytes that are no UTF-8: in ${plural(binary, "value")} U+FFFD stands in their place.`;
}

const fileName = (key) => (key === "/" ? "pando" : nameOf(key).replace(/[^\w.-]/g, "_")) + ".jsonl";
