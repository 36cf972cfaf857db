// The view of the keys: the tree beside the chosen node.
import { html, useEffect, useState } from "./html.js";
import { Node } from "./node.js";
import { isAtOrBelow } from "./paths.js";
import { Search } from "./search.js";
import { Tree, useTree } from "./tree.js";

// The words for the states of a watch.
const stateTexts = {
  connecting: "Connecting…", live: "Live", waiting: "The server does not answer; trying again…",
  denied: "No live changes: no right to watch",
};

// useHidden returns whether hidden nodes are shown, and a function that sets it. The browser remembers it for the tab.
function useHidden() {
  const [hidden, setHidden] = useState(() => stored(() => sessionStorage.getItem("pando-hidden")) === "true");
  const set = (value) => {
    stored(() => sessionStorage.setItem("pando-hidden", value));
    setHidden(value);
  };
  return [hidden, set];
}

// stored returns the result of a function that uses the storage of the browser, or undefined if the browser forbids it.
function stored(use) {
  try {
    return use();
  } catch {
    return undefined;
  }
}

/** Keys shows the tree, and the node at path. */
export function Keys({ api, navigate, path, readonly }) {
  const [hidden, setHidden] = useHidden();
  const [rootPath, setRootPath] = useState("/");
  const { model, state, events } = useTree(api, rootPath, hidden);
  const go = (to) => navigate("keys", to);
  const denied = model.directory(rootPath).error?.status === 401;
  // A person who may not read the root sees the tree below the chosen path.
  useEffect(() => {
    if (denied && path !== rootPath) setRootPath(path);
    else if (!isAtOrBelow(path, rootPath)) setRootPath("/");
  }, [denied, path, rootPath]);
  return html`<section class="keys">
    <div class="tree-pane">
      <${Search} api=${api} hidden=${hidden} go=${go} />
      <div class="tree-tools">
        <label><input type="checkbox" checked=${hidden} onChange=${(e) => setHidden(e.currentTarget.checked)} /> Show hidden keys</label>
        <span class=${"state " + state} role="status">${stateTexts[state]}</span>
      </div>
      ${denied && html`<p class="problem">You may not list ${rootPath}. Go to a path that you may read, or log in.</p>`}
      <${Tree} model=${model} path=${path} go=${go} />
    </div>
    <${Node} key=${path} api=${api} navigate=${navigate} path=${path} readonly=${readonly} events=${events} />
  </section>`;
}
