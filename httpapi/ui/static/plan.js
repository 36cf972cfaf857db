// Plans of copies and imports: what is made, what exists already, and what is in the way. The functions send nothing.
//
// An Item is a line of a plan: {key, dir, from, ttl, state, reason}. state is "new", "same" (it exists with the same value), "replace" (it
// exists with another value, which is overwritten) or "conflict" (reason says why it can't be made).
//
// A Step is a change that the plan needs: {action, key, value, bytes, dir, ttl, prevIndex}, with the names and meanings of /v2/keys. bytes
// stands in place of value if it is no text.
import { isAtOrBelow, isBelow, parentOf, parts } from "./paths.js";

// retarget returns the path of a node after its subtree was moved: retarget("/a/x", "/a", "/b") is "/b/x".
const retarget = (key, from, to) => "/" + [...parts(to), ...parts(key).slice(parts(from).length)].join("/");

/**
 * planCopy plans a copy of the subtree at from to to. nodes are those of the source; existing is a Map of those of the target. With
 * overwrite, values that exist are replaced. With remove, the source is deleted afterwards, node by node, so that nothing is deleted that
 * was changed or added since the plan.
 */
export function planCopy({ from, to, nodes, existing, overwrite, remove }) {
  const wanted = nodes.map((node) => ({ ...node, from: node.key, key: retarget(node.key, from, to) })).filter((n) => n.key !== "/");
  const plan = planWrites(wanted, existing, overwrite);
  if (remove) refuseOwn(plan, from);
  plan.compares = nodes.filter((n) => !n.dir).map((n) => ({ key: n.key, prevIndex: n.modifiedIndex }));
  plan.removals = remove ? [...nodes].reverse().map(removalOf) : [];
  return plan;
}

// refuseOwn makes conflicts of items that exist in the renamed subtree itself: they would be written and then removed.
function refuseOwn({ items, counts }, from) {
  for (const item of items) {
    if (item.state === "conflict" || !isAtOrBelow(item.key, from)) continue;
    counts[item.state]--;
    counts.conflict++;
    Object.assign(item, { state: "conflict", reason: "it is a part of what is renamed" });
  }
}

const removalOf = (node) =>
  node.dir ? { action: "delete", key: node.key, dir: true } : { action: "delete", key: node.key, prevIndex: node.modifiedIndex };

/**
 * planWrites plans to write nodes. existing is a Map from keys to the nodes that exist. It returns {items, steps, counts, compares,
 * removals}. A directory that is made together with what is in it needs no step of its own.
 */
export function planWrites(nodes, existing, overwrite) {
  const items = [];
  const steps = [];
  const filled = new Set(nodes.map((n) => parentOf(n.key)));
  for (const node of nodes) {
    const item = { key: node.key, dir: node.dir, from: node.from, ttl: node.ttl, ...judge(node, existing, overwrite) };
    items.push(item);
    if (item.state === "new" && !(node.dir && !node.ttl && filled.has(node.key))) steps.push(creation(node));
    if (item.state === "replace") steps.push(replacementOf(node, existing.get(node.key)));
  }
  const counts = { new: 0, same: 0, replace: 0, conflict: 0 };
  for (const { state } of items) counts[state]++;
  return { items, steps, counts, compares: [], removals: [] };
}

function judge(node, existing, overwrite) {
  const old = existing.get(node.key);
  if (!old) {
    const blocker = keyAbove(node.key, existing);
    return blocker ? { state: "conflict", reason: `${blocker} is a key, not a directory` } : { state: "new" };
  }
  if (node.dir) return old.dir ? { state: "same" } : { state: "conflict", reason: "it is a key there, not a directory" };
  if (old.dir) return { state: "conflict", reason: "it is a directory there" };
  if (sameValue(node, old)) return overwrite && (node.ttl || old.ttl) ? { state: "replace" } : { state: "same" };
  return overwrite ? { state: "replace" } : { state: "conflict", reason: "it has another value there" };
}

// keyAbove returns an existing key in the place of a directory above a path, or undefined.
function keyAbove(path, existing) {
  for (let above = parentOf(path); above !== "/"; above = parentOf(above)) {
    const node = existing.get(above);
    if (node && !node.dir) return above;
  }
  return undefined;
}

function sameValue(a, b) {
  if (!a.bytes && !b.bytes) return (a.value ?? "") === (b.value ?? "");
  return a.bytes?.length === b.bytes?.length && a.bytes.every((byte, i) => byte === b.bytes[i]);
}

const creation = ({ key, dir, value, bytes, ttl }) =>
  dir ? { action: "create", key, dir, ttl } : { action: "create", key, value, bytes, ttl };

const replacementOf = ({ key, value, bytes, ttl }, old) => ({ action: "set", key, value, bytes, ttl, prevIndex: old.modifiedIndex });

/** problemOf returns why a subtree can't be copied or renamed from one path to another, or "". */
export function problemOf(from, to, rename) {
  if (from === to) return "The new path is the old one.";
  if (rename && from === "/") return "The root can't be renamed.";
  if (rename && isBelow(to, from)) return "A directory can't be moved into itself.";
  return "";
}

/** rootsOf returns the keys of nodes that are not below another one of them, or the directory that holds all if there are many. */
export function rootsOf(nodes, most = 20) {
  const roots = [];
  let last = null;
  const sorted = nodes.map((n) => n.key).sort((a, b) => (a + "/" < b + "/" ? -1 : 1));
  for (const key of sorted) {
    if (last !== null && isAtOrBelow(key, last)) continue;
    roots.push(key);
    last = key;
  }
  return roots.length <= most ? roots : [commonDirectory(roots)];
}

function commonDirectory(paths) {
  let common = parts(paths[0]);
  for (const path of paths) {
    const other = parts(path);
    let same = 0;
    while (same < common.length && same < other.length && common[same] === other[same]) same++;
    common = common.slice(0, same);
  }
  return "/" + common.join("/");
}
