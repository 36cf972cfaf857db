// Reads subtrees for copies, exports and imports.
import { fromUtf8, replacement } from "./bytes.js";
import { codes } from "./codes.js";

const pageSize = 500;
// The limits of what a browser should keep in memory.
const maxNodes = 50_000;
export const maxBytes = 64 * 1024 * 1024;

/**
 * readSubtree reads a node and everything below it as it is at one moment. It returns {nodes, index}, with each directory before what is in
 * it, or null if there is no such node. The root of the tree is not among the nodes. Each node is {key, dir, value, ttl, expiration,
 * modifiedIndex}, and has bytes if its value is no UTF-8. Options:
 *
 *   hidden      with hidden nodes below it
 *   onProgress  gets the number of nodes that were read
 *   signal      aborts
 */
export async function readSubtree(api, path, { hidden = false, onProgress = () => {}, signal } = {}) {
  const nodes = [];
  let size = 0;
  let after;
  let atIndex = "now"; // the member keeps this state for the pages that follow
  do {
    let page;
    try {
      page = await api.list(path, { recursive: true, keysOnly: false, limit: pageSize, after, hidden, atIndex, signal });
    } catch (error) {
      if (error.code === codes.notFound) return null;
      throw error;
    }
    if (nodes.length === 0 && page.node.key && page.node.key !== "/") nodes.push(withoutNodes(page.node));
    for (const node of page.nodes) {
      nodes.push(node);
      size += node.key.length + (node.value?.length ?? 0);
    }
    if (nodes.length > maxNodes || size > maxBytes) {
      throw new Error(`${path} is too large for a browser: more than ${maxNodes} keys or ${maxBytes / 1024 / 1024} MiB. ` +
        "Use the commands pando ctl export and pando ctl import.");
    }
    atIndex = page.index;
    after = page.next;
    onProgress(nodes.length);
  } while (after);
  await readBytes(api, nodes, signal);
  return { nodes, index: atIndex };
}

const withoutNodes = ({ nodes, ...node }) => node;

// readBytes reads the values in which JSON may have replaced bytes. It fails if one was changed meanwhile.
async function readBytes(api, nodes, signal) {
  for (const node of nodes) {
    if (!node.value?.includes(replacement)) continue;
    const exact = await api.get(node.key, { signal });
    if (exact.modifiedIndex !== node.modifiedIndex) throw new Error(`${node.key} was changed meanwhile. Try again.`);
    if (fromUtf8(exact.bytes) === null) node.bytes = exact.bytes;
  }
}
