// The chosen node: what it is, its value, and what can be done with it.
import { ChangeTtl, Create, Remove } from "./actions.js";
import { copyText, download, sizeText } from "./bytes.js";
import { codes } from "./codes.js";
import { Commands } from "./command.js";
import { Edit, remainingOf, useChangedNotice } from "./edit.js";
import { History } from "./history.js";
import { html, useCallback, useEffect, useRef, useState } from "./html.js";
import { say } from "./messages.js";
import { hashOf, isAtOrBelow, isBelow, nameOf, parentOf, parts } from "./paths.js";
import { Transfer } from "./transfer.js";
import { timeLeft } from "./units.js";
import { Value } from "./value.js";

const rereadDelay = 80; // milliseconds after an event; many may come at once

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// concerns reports whether an event changes what is shown of the node at path: it is the node, a directory above it, or one in it.
const concerns = ({ key, dir }, path) => isAtOrBelow(path, key) || (dir && isBelow(key, path));

// useNode returns the node at path, read again after each event that concerns it: {node, error, gone}. node is the last one that was read.
function useNode(api, path, events) {
  const [state, setState] = useState({ node: null, error: null });
  const abort = useRef(null);
  const read = useCallback(async () => {
    abort.current?.abort();
    const { signal } = (abort.current = new AbortController());
    try {
      const node = await api.get(path, { signal });
      setState({ node, error: null });
    } catch (error) {
      if (!signal.aborted) setState((s) => ({ node: s.node, error }));
    }
  }, [api, path]);
  useEffect(() => {
    let wanted = false;
    let running = false;
    let ended = false;
    // A key that changes all the time is read again and again, one reading after the other.
    const readAgain = async () => {
      wanted = true;
      if (running) return;
      running = true;
      while (wanted && !ended) {
        await pause(rereadDelay);
        wanted = false;
        if (!ended) await read();
      }
      running = false;
    };
    read();
    const stop = events.subscribe((event) => {
      if (event === null || concerns(event.node, path)) readAgain();
    });
    return () => {
      stop();
      ended = true;
      abort.current?.abort();
    };
  }, [read, events]);
  return { ...state, gone: state.error?.code === codes.notFound, read };
}

// Remaining shows the seconds that a node has left, and counts down.
function Remaining({ node }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  const seconds = remainingOf(node)();
  return html`<span class="ttl" role="timer">${seconds > 0 ? timeLeft(seconds) : "expiring…"}</span>`;
}

function Breadcrumb({ path }) {
  const names = parts(path);
  return html`<nav class="breadcrumb" aria-label="Path"><ol>
    <li><a href=${hashOf("keys", "/")}>/</a></li>
    ${names.map((name, i) => html`<li key=${i}><a href=${hashOf("keys", "/" + names.slice(0, i + 1).join("/"))}
      aria-current=${i === names.length - 1 ? "page" : undefined}>${name}</a></li>`)}
  </ol></nav>`;
}

function Facts({ node, count }) {
  const facts = [
    ["Kind", node.dir ? "Directory" : "Key"],
    node.dir ? ["Children", count === null ? "…" : String(count)] : ["Size", sizeText(node.bytes.length)],
    ["Expires in", node.ttl === undefined ? "never" : html`<${Remaining} key=${node.modifiedIndex} node=${node} />`],
    node.modifiedIndex && ["Modified index", node.modifiedIndex],
    node.createdIndex && ["Created index", node.createdIndex],
  ];
  return html`<dl class="node-facts">
    ${facts.filter(Boolean).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

// useCount returns the number of the children of a directory, and counts again after events below it.
function useCount(api, node, events) {
  const [count, setCount] = useState(null);
  const dir = node?.dir ?? false;
  const path = node?.key;
  useEffect(() => {
    if (!dir) return undefined;
    let timer = 0;
    const abort = new AbortController();
    const read = () => {
      timer = 0;
      api.count(path, { hidden: false, signal: abort.signal }).then(setCount, () => {});
    };
    read();
    const stop = events.subscribe((event) => {
      if (event === null || isBelow(event.node.key, path)) timer ||= setTimeout(read, 1000);
    });
    return () => {
      stop();
      clearTimeout(timer);
      abort.abort();
    };
  }, [api, dir, path, events]);
  return count;
}

function Toolbar({ api, navigate, node, readonly, open }) {
  const copyValue = async () => {
    const done = await copyText(new TextDecoder().decode(node.bytes));
    say(done ? "The value was copied." : "The browser does not allow copying.", done ? "info" : "error");
  };
  const isRoot = node.key === "/";
  return html`<div class="toolbar" role="group" aria-label="Actions">
    ${!readonly && !node.dir && html`<button type="button" class="primary" onClick=${() => open("edit")}>Edit</button>`}
    ${!readonly && node.dir && html`<button type="button" class="primary" onClick=${() => open("create")}>Create</button>`}
    ${!readonly && !isRoot && html`<button type="button" onClick=${() => open("ttl")}>Set TTL</button>`}
    ${!node.dir && html`<button type="button" onClick=${copyValue}>Copy value</button>`}
    ${!node.dir && html`<button type="button" onClick=${() => download(nameOf(node.key), [node.bytes])}>Download</button>`}
    <${Transfer} api=${api} navigate=${navigate} path=${node.key} node=${node} readonly=${readonly} />
    ${!readonly && !isRoot && html`<button type="button" class="danger" onClick=${() => open("remove")}>Delete</button>`}
  </div>`;
}

// Missing is shown in place of a node that does not exist, or that may not be read.
function Missing({ path, error, readonly, open }) {
  if (error.code === codes.notFound) {
    return html`<p>There is no key <code>${path}</code>.</p>
      ${!readonly && html`<button type="button" class="primary" onClick=${() => open("create")}>Create it</button>`}`;
  }
  const text = error.status === 401 ? `You may not read ${path}.` : error.message;
  return html`<p class="problem" role="alert">${text}</p>`;
}

/** Node shows the node at path. events has subscribe(f): f gets the events of the server, or null when some were lost. */
export function Node({ api, navigate, path, readonly, events }) {
  const { node, error, gone, read } = useNode(api, path, events);
  const [dialog, setDialog] = useState(null); // {name, node}: the node as it was when the dialog was opened
  const count = useCount(api, node, events);
  const fresh = useChangedNotice(node?.modifiedIndex);
  const open = (name) => setDialog({ name, node });
  const close = useCallback(() => setDialog(null), []);
  const go = (to) => navigate("keys", to);
  const shown = error === null && node;
  const dialogs = {
    edit: () => html`<${Edit} api=${api} node=${dialog.node} latest=${gone ? null : node} refresh=${read}
      onClose=${close} />`,
    create: () => html`<${Create} api=${api} directory=${dialog.node?.dir ? path : parentOf(path)} path=${dialog.node ? "" : path} go=${go}
      onClose=${close} />`,
    ttl: () => html`<${ChangeTtl} api=${api} node=${dialog.node} refresh=${read} onClose=${close} />`,
    remove: () => html`<${Remove} api=${api} node=${dialog.node} go=${go} onClose=${close} />`,
  };
  return html`<article class="node" aria-labelledby="node-title">
    <${Breadcrumb} path=${path} />
    <div class="title">
      <h1 id="node-title">${nameOf(path)}</h1>
      <p class="fresh" role="status">${shown && fresh ? `Changed just now, index ${node.modifiedIndex}` : ""}</p>
    </div>
    ${error && html`<${Missing} path=${path} error=${error} readonly=${readonly}
      open=${() => setDialog({ name: "create", node: null })} />`}
    ${shown && html`
      <${Facts} node=${node} count=${count} />
      <${Toolbar} api=${api} navigate=${navigate} node=${node} readonly=${readonly} open=${open} />
      ${!node.dir && html`<${Value} bytes=${node.bytes} />`}
      <${Commands} api=${api} action=${{ kind: node.dir ? "list" : "get", path }} />`}
    ${node && (shown || gone) && html`<${History} api=${api} navigate=${navigate} path=${path} node=${node} readonly=${readonly} />`}
    ${dialog && dialogs[dialog.name]()}
  </article>`;
}
