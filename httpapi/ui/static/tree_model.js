// What the tree shows: the directories that were opened, with the pages of their children that were loaded. No DOM.
import { isRemoval } from "./events.js";
import { compareNames, isAtOrBelow, isBelow, isHidden, join, nameOf, parentOf, parts } from "./paths.js";

const pageSize = 500;
const mostAdded = 5000; // nodes that events may add to a directory; beyond it the last ones are left to "More…"

/**
 * Directory is an opened directory. children has a window of its nodes, in order: from the name "from" (from the first child if that is
 * empty) to the last loaded one. next is the key after which the following page begins; empty at the end.
 */
class Directory {
  children = [];
  from = "";
  next = "";
  state = "new"; // then "loading", "ready" or "failed"
  error = null;
  expanded = false;
  loaded = null; // the promise of the last list
  most = 0; // the number of children that are kept

  constructor(path) {
    this.path = path;
  }

  /** find returns the position at which a name is, or would be. */
  find(name) {
    let low = 0;
    let high = this.children.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareNames(nameOf(this.children[middle].key), name) < 0) low = middle + 1;
      else high = middle;
    }
    return { at: low, node: this.children[low] && nameOf(this.children[low].key) === name ? this.children[low] : undefined };
  }

  /** covers reports whether a name lies in the window, so that the children must have it if it exists. */
  covers(name) {
    if (this.from !== "" && compareNames(name, this.from) < 0) return false;
    return this.next === "" || compareNames(name, nameOf(this.next)) <= 0;
  }

  /** cut drops the last children when events have added too many. */
  cut() {
    if (this.children.length <= this.most) return;
    this.children.length = this.most;
    this.next = this.children.at(-1).key;
  }
}

/** TreeModel holds the tree of a server. changed is called after each change. */
export class TreeModel {
  hidden = false;
  index = 0; // of the first list; a watch begins here
  #directories = new Map();
  #loads = 0; // lists that are read now
  #events = []; // those that came since then, in their order

  constructor(api, rootPath, changed) {
    Object.assign(this, { api, rootPath, changed });
  }

  directory(path) {
    let directory = this.#directories.get(path);
    if (!directory) this.#directories.set(path, (directory = new Directory(path)));
    return directory;
  }

  isExpanded(path) {
    return this.#directories.get(path)?.expanded ?? false;
  }

  /** expand opens a directory and loads its first page, unless it is loaded. It waits for a list that is read already. */
  async expand(path) {
    const directory = this.directory(path);
    directory.expanded = true;
    if (directory.state === "new" || directory.state === "failed") this.#load(directory, {});
    else this.changed();
    await directory.loaded;
  }

  collapse(path) {
    this.directory(path).expanded = false;
    this.changed();
  }

  /** loadMore adds the next page. */
  async loadMore(path) {
    const directory = this.directory(path);
    if (directory.next !== "" && directory.state !== "loading") await this.#load(directory, { after: directory.next, append: true });
  }

  /** loadFromStart shows a directory whose window begins in the middle from its first child on. */
  async loadFromStart(path) {
    await this.#load(this.directory(path), {});
  }

  /** reveal opens all directories above a path, makes the path one of the loaded children if it exists, and opens it. */
  async reveal(path) {
    if (!isBelow(path, this.rootPath)) {
      await this.expand(this.rootPath);
      return;
    }
    const names = parts(path).slice(parts(this.rootPath).length);
    let parent = this.rootPath;
    for (const name of names) {
      await this.expand(parent);
      const directory = this.directory(parent);
      const child = join(parent, name);
      if (directory.state !== "ready") return;
      if (!directory.find(name).node && !directory.covers(name) && (this.hidden || !isHidden(name))) {
        const node = await this.api.stat(child).catch(() => null);
        if (!node) return;
        await this.#load(directory, { after: child, first: node });
      }
      parent = child;
    }
    if (this.directory(parentOf(path)).find(nameOf(path)).node?.dir) await this.expand(path);
  }

  /** reload reads everything that is open anew: after lost events, and when hidden nodes shall be shown or not. */
  async reload() {
    const open = [...this.#directories.values()].filter((d) => d.expanded);
    this.#directories.clear();
    for (const { path } of open) this.directory(path).expanded = true;
    await Promise.all(open.map(({ path }) => this.#load(this.directory(path), {})));
  }

  #load(directory, range) {
    directory.loaded = this.#read(directory, range);
    return directory.loaded;
  }

  async #read(directory, { after, append, first }) {
    directory.state = "loading";
    directory.error = null;
    this.#loads++;
    this.changed();
    try {
      const page = await this.api.list(directory.path, { after, limit: pageSize, hidden: this.hidden });
      if (this.index === 0) this.index = page.index;
      const nodes = first ? [first, ...page.nodes] : page.nodes;
      directory.children = append ? directory.children.concat(nodes) : nodes;
      if (!append) directory.from = first ? nameOf(first.key) : "";
      directory.next = page.next;
      directory.most = directory.children.length + mostAdded;
      directory.state = "ready";
      this.#catchUp(directory, page.index);
    } catch (error) {
      Object.assign(directory, { state: "failed", error });
    }
    this.#loads--;
    if (this.#loads === 0) this.#events = [];
    this.changed();
  }

  // catchUp applies the events after index to a directory: those that came while its list was read, and are not in the list.
  #catchUp(directory, index) {
    for (const event of this.#events) if (event.node.modifiedIndex > index) this.#change(event, directory);
  }

  /** apply changes the tree by an event of a watch. It ignores an event that is older than what is loaded. Callers call changed. */
  apply(event) {
    if (this.#loads > 0) this.#events.push(event);
    this.#change(event);
  }

  // change applies an event to all directories, or to one.
  #change({ action, node }, only) {
    if (isRemoval(action)) this.#remove(node, only);
    else this.#upsert(node, only);
  }

  #remove({ key, modifiedIndex }, only) {
    const directory = this.#directories.get(parentOf(key));
    if (directory?.state !== "ready" || (only && directory !== only)) return;
    const { at, node } = directory.find(nameOf(key));
    if (!node || node.createdIndex > modifiedIndex) return;
    directory.children.splice(at, 1);
    if (node.dir) this.#forget(key);
  }

  // forget drops a directory that is gone, and all below it.
  #forget(path) {
    for (const other of [...this.#directories.keys()]) {
      if (isAtOrBelow(other, path)) this.#directories.delete(other);
    }
  }

  // upsert adds or replaces a node, and adds the directories above it: they have no events of their own.
  #upsert({ key, dir, ttl, modifiedIndex, createdIndex }, only) {
    if (!isBelow(key, this.rootPath)) return;
    const names = parts(key).slice(parts(this.rootPath).length);
    let parent = this.rootPath;
    for (const [i, name] of names.entries()) {
      const path = join(parent, name);
      const last = i === names.length - 1;
      const node = last ? { key: path, dir, ttl, modifiedIndex, createdIndex } : { key: path, dir: true, modifiedIndex, createdIndex };
      if (!this.hidden && name.startsWith("_")) return;
      const directory = this.#directories.get(parent);
      if (!only || directory === only) this.#put(directory, name, node, last);
      parent = path;
    }
  }

  #put(directory, name, node, replace) {
    if (directory?.state !== "ready" || !directory.covers(name)) return;
    const { at, node: old } = directory.find(name);
    if (!old) {
      directory.children.splice(at, 0, node);
      directory.cut();
      return;
    }
    if (!replace || old.modifiedIndex > node.modifiedIndex) return;
    if (old.dir && !node.dir) this.#forget(node.key);
    directory.children[at] = node;
  }

  /**
   * rows returns the rows of the tree from top to bottom: {kind, key, level, node?, position?, size?}. kind is "node", "earlier", "more",
   * "loading", "empty" or "failed". size is -1 while not all children are loaded.
   */
  rows() {
    const rows = [{ kind: "node", key: this.rootPath, level: 1, node: { key: this.rootPath, dir: true }, position: 1, size: 1 }];
    this.#addRows(rows, this.rootPath, 2);
    return rows;
  }

  #addRows(rows, path, level) {
    const directory = this.#directories.get(path);
    if (!directory?.expanded) return;
    const add = (kind) => rows.push({ kind, key: path, level, error: directory.error });
    if (directory.from !== "") add("earlier");
    const size = directory.next === "" && directory.from === "" ? directory.children.length : -1;
    for (const [i, node] of directory.children.entries()) {
      rows.push({ kind: "node", key: node.key, level, node, position: i + 1, size });
      if (node.dir) this.#addRows(rows, node.key, level + 1);
    }
    if (directory.state === "failed") add("failed");
    else if (directory.state === "loading") add("loading");
    else if (directory.next !== "") add("more");
    else if (directory.children.length === 0) add("empty");
  }
}
