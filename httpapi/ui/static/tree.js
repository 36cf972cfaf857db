// The tree of keys, by the pattern "tree view" of ARIA. The element of the tree has the focus, and names its active row.
import { html, useEffect, useMemo, useReducer, useRef, useState } from "./html.js";
import { isHidden, nameOf, parentOf, shownName } from "./paths.js";
import { TreeModel } from "./tree_model.js";
import { VirtualList } from "./virtual.js";

const batchDelay = 60; // milliseconds in which events are collected before the tree is drawn again

// newEvents returns what passes the events of one watch to several parts of the page.
function newEvents() {
  const listeners = new Set();
  return {
    publish: (event) => listeners.forEach((f) => f(event)),
    subscribe: (f) => {
      listeners.add(f);
      return () => listeners.delete(f);
    },
  };
}

/**
 * useTree returns a TreeModel that follows the server, the state of its watch: "connecting", "live", "waiting" or "denied", and its events
 * for other parts of the page. It draws its component again after changes.
 */
export function useTree(api, rootPath, hidden) {
  const [, draw] = useReducer((n) => n + 1, 0);
  const [state, setState] = useState("connecting");
  const model = useMemo(() => new TreeModel(api, rootPath, () => draw()), [api, rootPath]);
  const events = useMemo(newEvents, [api]);
  useEffect(() => {
    const abort = new AbortController();
    model.expand(rootPath).then(() => follow(model, events, setState, abort.signal));
    return () => abort.abort();
  }, [model]);
  useEffect(() => {
    if (model.hidden === hidden) return;
    model.hidden = hidden;
    model.reload();
  }, [model, hidden]);
  return { model, state, events };
}

// follow applies the events of the server until signal is aborted. Events that come close to each other are drawn at once.
async function follow(model, events, setState, signal) {
  let timer = 0;
  const drawSoon = () => {
    timer ||= setTimeout(() => {
      timer = 0;
      if (!signal.aborted) model.changed();
    }, batchDelay);
  };
  let interrupted = false;
  let begun = false;
  const onState = (state) => {
    setState(state);
    if (state === "live" && interrupted) events.publish(null); // reads may have failed meanwhile
    if (state === "live" && model.directory(model.rootPath).state === "failed") model.reload();
    if (state === "denied" && begun) {
      events.publish(null); // the person may no longer see what the page shows
      model.reload();
    }
    begun ||= state === "live";
    interrupted = state === "waiting" || (state === "connecting" && interrupted);
  };
  await model.api.watch(model.rootPath, {
    recursive: true, keysOnly: true, since: model.index, signal, onState,
    onEvent: (event) => {
      model.apply(event);
      events.publish(event);
      drawSoon();
    },
    onCleared: () => {
      events.publish(null);
      model.reload();
    },
  });
}

// useActive returns the active row: its key and its position, and functions that set it. A path that was not chosen in the tree itself is
// revealed and becomes active.
function useActive(model, path, rows) {
  const [active, setActive] = useState(path);
  const [show, setShow] = useState(null);
  const pending = useRef("");
  const chosenHere = useRef("");
  useEffect(() => {
    if (chosenHere.current === path) return;
    chosenHere.current = "";
    pending.current = path;
    setActive(path);
    model.reveal(path).then(() => model.changed());
  }, [model, path]);
  const activeAt = rows.findIndex((r) => r.kind === "node" && r.key === active);
  useEffect(() => {
    if (pending.current !== active || activeAt < 0) return;
    pending.current = ""; // a chosen node is scrolled to once, when it is loaded
    setShow({ index: activeAt });
  }, [active, activeAt]);
  const setChosen = (key) => {
    chosenHere.current = key;
    setActive(key);
  };
  return { activeAt, show, setShow, setActive, setChosen };
}

/** Tree shows a TreeModel. path is the chosen node; go(path) chooses another one. */
export function Tree({ model, path, go }) {
  const rows = model.rows();
  const { activeAt, show, setShow, setActive, setChosen } = useActive(model, path, rows);
  const choose = (key) => {
    setChosen(key);
    go(key);
  };
  const moveTo = (index) => {
    const at = Math.max(0, Math.min(index, rows.length - 1));
    const row = rows[at];
    if (row.kind === "more") model.loadMore(row.key);
    if (row.kind === "earlier") model.loadFromStart(row.key);
    if (row.kind === "node") setActive(row.key);
    setShow({ index: at });
  };
  const onKeyDown = (event) => treeKey(event, { model, rows, activeAt, moveTo, choose });
  const loadVisible = (first, last) => {
    for (const row of rows.slice(first, last + 1)) if (row.kind === "more") model.loadMore(row.key);
  };
  const row = (i) => html`<${Row} key=${rows[i].kind + rows[i].key} id=${"row" + i} row=${rows[i]} model=${model} choose=${choose}
    chosen=${rows[i].kind === "node" && rows[i].key === path} active=${i === activeAt} />`;
  return html`<${VirtualList} count=${rows.length} row=${row} show=${show} onRange=${loadVisible} attributes=${{
    class: "tree", role: "tree", "aria-label": "Keys", tabIndex: 0, onKeyDown,
    "aria-activedescendant": activeAt >= 0 ? "row" + activeAt : undefined,
  }} inner=${{ role: "group" }} />`;
}

// treeKey handles the keys of a tree view.
function treeKey(event, { model, rows, activeAt, moveTo, choose }) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const row = rows[activeAt];
  const page = Math.max(1, Math.floor(event.currentTarget.clientHeight / 30) - 1);
  const expanded = row && model.isExpanded(row.key);
  const actions = {
    ArrowDown: () => moveTo(activeAt + 1),
    ArrowUp: () => moveTo(activeAt - 1),
    PageDown: () => moveTo(activeAt + page),
    PageUp: () => moveTo(activeAt - page),
    Home: () => moveTo(0),
    End: () => moveTo(rows.length - 1),
    ArrowRight: () => row?.node.dir && (expanded ? moveTo(activeAt + 1) : model.expand(row.key)),
    ArrowLeft: () => (expanded ? model.collapse(row.key) : row && moveTo(rows.findIndex((r) => r.key === parentOf(row.key)))),
    Enter: () => row && choose(row.key),
    " ": () => row && choose(row.key),
  };
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

// The texts of rows that stand for no node.
const texts = {
  loading: "Loading…", empty: "Empty", more: "More…", earlier: "Show from the beginning…",
};

function Row({ id, row, model, choose, chosen, active }) {
  const indent = { paddingLeft: `${(row.level - 1) * 1.1}rem` };
  if (row.kind !== "node") {
    const acts = { more: model.loadMore, earlier: model.loadFromStart, failed: model.expand };
    const act = () => acts[row.kind]?.call(model, row.key);
    const text = row.kind === "failed" ? `${row.error.message}. Try again` : texts[row.kind];
    return html`<div class=${"row note " + row.kind} role="treeitem" aria-level=${row.level} aria-selected="false" style=${indent}
      onClick=${act}>
      <span class="twist"></span>${text}</div>`;
  }
  const { node } = row;
  const expanded = node.dir ? model.isExpanded(row.key) : undefined;
  const toggle = (event) => {
    event.stopPropagation();
    if (expanded) model.collapse(row.key);
    else model.expand(row.key);
  };
  const open = () => {
    if (node.dir && !expanded) model.expand(row.key);
    choose(row.key);
  };
  const hidden = isHidden(nameOf(row.key));
  const classes = [
    "row", node.dir ? "directory" : "file", row.level === 1 && "root", chosen && "chosen", active && "active", hidden && "hidden-node",
  ];
  return html`<div id=${id} class=${classes.filter(Boolean).join(" ")} role="treeitem" aria-level=${row.level} aria-selected=${chosen}
    aria-expanded=${expanded} aria-setsize=${row.size} aria-posinset=${row.position} title=${row.key} style=${indent} onClick=${open}>
    <span class="twist" aria-hidden="true" onClick=${node.dir ? toggle : undefined}>${node.dir ? (expanded ? "▾" : "▸") : ""}</span>
    <span class="name">${shownName(row.key === model.rootPath ? row.key : nameOf(row.key))}</span>
    ${node.ttl !== undefined && html`<span class="badge" title="This node expires">TTL</span>`}
  </div>`;
}
