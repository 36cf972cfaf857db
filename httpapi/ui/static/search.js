// A field for a path. It suggests the keys that begin with what is typed, by the pattern "combobox" of ARIA.
import { html, useEffect, useId, useRef, useState } from "./html.js";
import { clean, join, nameOf } from "./paths.js";

const limit = 20; // suggestions
const typingDelay = 120; // milliseconds after the last key

// split divides what a person has typed into a directory and the beginning of a name.
function split(text) {
  const at = text.lastIndexOf("/");
  return { directory: clean(text.slice(0, Math.max(at, 0))), prefix: text.slice(at + 1) };
}

// suggest returns the nodes whose path begins with the text. A directory of any size costs two small requests.
async function suggest(api, text, hidden, signal) {
  const { directory, prefix } = split(text);
  const showHidden = hidden || prefix.startsWith("_");
  const after = prefix === "" ? undefined : join(directory, prefix);
  const exact = prefix === "" ? null : api.stat(after, { signal, quiet: true }).catch(() => null);
  const { nodes } = await api.list(directory, { after, limit, hidden: showHidden, signal, quiet: true });
  const found = nodes.filter((node) => nameOf(node.key).startsWith(prefix));
  const same = await exact;
  return same ? [same, ...found] : found;
}

/** Search asks for a path and calls go with it. */
export function Search({ api, hidden, go }) {
  const [text, setText] = useState("");
  const [found, setFound] = useState([]);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const id = useId();
  const input = useRef(null);
  useEffect(() => {
    setActive(-1);
    if (text === "" || !open) {
      setFound([]);
      return undefined;
    }
    const abort = new AbortController();
    const timer = setTimeout(() => {
      suggest(api, text, hidden, abort.signal).then(setFound, (error) => error.name !== "AbortError" && setFound([]));
    }, typingDelay);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [api, text, hidden, open]);
  const choose = (node) => {
    setText(node.dir ? node.key + "/" : node.key);
    setOpen(Boolean(node.dir));
    go(node.key);
    input.current.focus();
  };
  const onKeyDown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length > 0) {
      event.preventDefault();
      setActive((active + step + found.length + (active < 0 && step < 0 ? 1 : 0)) % found.length);
    } else if (event.key === "Escape") {
      setOpen(false);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (found[active]) choose(found[active]);
      else {
        setOpen(false);
        go(clean(text));
      }
    }
  };
  const shown = open && found.length > 0;
  return html`<div class="search">
    <label for=${id + "-input"}>Go to a path</label>
    <input ref=${input} id=${id + "-input"} type="text" role="combobox" autocomplete="off" spellcheck="false" aria-autocomplete="list"
      value=${text}
      aria-expanded=${shown} aria-controls=${id + "-list"} aria-activedescendant=${active >= 0 ? id + active : undefined}
      onInput=${(e) => (setText(e.currentTarget.value), setOpen(true))} onKeyDown=${onKeyDown} onBlur=${() => setOpen(false)} />
    <ul id=${id + "-list"} role="listbox" aria-label="Keys that begin with this text" hidden=${!shown}>
      ${found.map((node, i) => html`<li key=${node.key} id=${id + i} role="option" aria-selected=${i === active}
        onMouseDown=${(e) => (e.preventDefault(), choose(node))}>${node.key}${node.dir ? "/" : ""}</li>`)}
    </ul>
  </div>`;
}
