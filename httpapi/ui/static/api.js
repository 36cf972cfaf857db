// Requests to the server that sent the page. The name and the password of the person are in memory alone, and go with each request.
import { replacement, toBytes } from "./bytes.js";
import { encodePath, isAddressable } from "./paths.js";
import { watchStream } from "./stream.js";

const requestTimeout = 60_000; // milliseconds
const mostReadings = 20; // of a value that changes while it is read

/** ApiError is a request that failed. status is 0 without an answer; code and index are those of an error of /v2/keys. */
export class ApiError extends Error {
  constructor(message, { status = 0, code = 0, cause = "", index = 0 } = {}) {
    super(message);
    this.name = "ApiError";
    Object.assign(this, { status, code, cause, index });
  }
}

/** Api sends requests. onSession is called after login and logout, onUnauthorized when the server refuses a request with 401. */
export class Api {
  #authorization = "";
  user = "";
  onSession = () => {};
  onUnauthorized = () => {};

  /** base is the URL of the server, which ends with a slash. */
  constructor(base = new URL("..", location.href.replace(/[?#].*/, ""))) {
    this.base = base;
  }

  /** login makes all later requests those of a user. It does not check the password. */
  login(user, password) {
    const bytes = toBytes(`${user}:${password}`);
    this.#authorization = "Basic " + btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
    this.user = user;
    this.onSession(user);
  }

  logout() {
    this.#authorization = "";
    this.user = "";
    this.onSession("");
  }

  /** url returns the URL of a path of the API, such as "/v2/keys/a". Parameters that are undefined, null or false are left out. */
  url(path, query = {}) {
    const url = new URL(path.replace(/^\//, ""), this.base);
    for (const [name, value] of Object.entries(query)) {
      for (const each of Array.isArray(value) ? value : [value]) {
        if (each !== undefined && each !== null && each !== false) url.searchParams.append(name, each);
      }
    }
    return url;
  }

  /** keyUrl returns the URL of a key. It throws an ApiError if no URL can name the key. */
  keyUrl(path, query) {
    if (!isAddressable(path)) throw new ApiError(`a part of a path can't be . or .., as in ${path}`);
    return this.url("v2/keys" + encodePath(path), query);
  }

  /** send sends a request and returns the Response, or throws an ApiError. signal aborts it. With quiet, 401 opens no login. */
  async send(method, url, { body, headers = {}, signal, timeout = requestTimeout, quiet = false } = {}) {
    const all = { Accept: "application/json", ...headers };
    if (this.#authorization) all.Authorization = this.#authorization;
    const signals = [signal, timeout && AbortSignal.timeout(timeout)].filter(Boolean);
    let response;
    try {
      // A redirect would turn a PUT into a GET. The server redirects only paths that the page does not make.
      response = await fetch(url, {
        method, headers: all, body, credentials: "omit", cache: "no-store", redirect: "error", signal: AbortSignal.any(signals),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(error.name === "TimeoutError" ? "the server did not answer in time" : "the server does not answer");
    }
    if (response.ok) return response;
    const error = await errorOf(response);
    if (error.status === 401 && !quiet) this.onUnauthorized(error);
    throw error;
  }

  /** json sends a request with a JSON body, or without one, and returns the JSON of the answer, or null if it is empty. */
  async json(method, path, { query, body, signal } = {}) {
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    const text = body === undefined ? undefined : JSON.stringify(body);
    const response = await this.send(method, this.url(path, query), { body: text, headers, signal });
    const answer = await response.text();
    return answer === "" ? null : JSON.parse(answer);
  }

  /**
   * list returns one page of the nodes of a directory, without values unless keysOnly is false: {node, nodes, next, index}. next is the
   * value of after for the next page, or "" after the last one.
   */
  async list(path, { after, limit = 500, hidden, recursive, keysOnly = true, depth, atIndex, signal, quiet } = {}) {
    const query = { after, limit, hidden, recursive, keysOnly, depth, atIndex };
    const response = await this.send("GET", this.keyUrl(path, query), { signal, quiet });
    const { node } = await response.json();
    return { node, nodes: node.nodes ?? [], next: nextOf(response), index: Number(response.headers.get("X-Etcd-Index")) };
  }

  /** count returns how many nodes a list of the directory has. */
  async count(path, { hidden, recursive, signal } = {}) {
    const response = await this.send("GET", this.keyUrl(path, { count: true, hidden, recursive }), { signal });
    return (await response.json()).count;
  }

  /**
   * stat returns a node without its children: {key, dir, value, ttl, modifiedIndex, createdIndex, index, at}. It has no value unless
   * keysOnly is false.
   */
  async stat(path, { signal, quiet, keysOnly = true } = {}) {
    const response = await this.send("GET", this.keyUrl(path, { keysOnly, depth: 0 }), { signal, quiet });
    const { node } = await response.json();
    return { ...node, key: node.key ?? "/", index: Number(response.headers.get("X-Etcd-Index")), at: performance.now() };
  }

  /** get returns what stat does, and for a file its value as bytes: a Uint8Array. Both are of one moment. */
  async get(path, { signal } = {}) {
    for (let i = 0; i < mostReadings; i++) {
      const { value = "", ...node } = await this.stat(path, { signal, keysOnly: false });
      if (node.dir) return node;
      if (!value.includes(replacement)) return { ...node, bytes: toBytes(value) };
      const response = await this.send("GET", this.keyUrl(path, { raw: true }), { signal, headers: { Accept: "*/*" } });
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.headers.get("ETag") === `"${node.modifiedIndex}"`) return { ...node, bytes };
    }
    throw new ApiError(`${path} changes faster than it can be read`);
  }

  /** put writes a file. bytes is its value, as a Uint8Array. conditions has ttl, prevIndex and prevExist. It returns the event. */
  async put(path, bytes, conditions = {}, { signal } = {}) {
    return this.#change("PUT", path, { ...conditions, raw: true }, { body: bytes, signal });
  }

  /** createInOrder adds a file with a name that the server chooses to a directory, and returns the event. */
  async createInOrder(path, bytes, { ttl } = {}, { signal } = {}) {
    return this.#change("POST", path, { ttl, raw: true }, { body: bytes, signal });
  }

  /** putDirectory creates a directory with prevExist "false", or replaces its TTL with prevExist "true". */
  async putDirectory(path, { ttl, prevExist } = {}, { signal } = {}) {
    return this.#change("PUT", path, { dir: true, ttl, prevExist }, { signal });
  }

  /** remove deletes a file, or with dir an empty directory, or with recursive a directory and everything below. */
  async remove(path, { recursive, dir, prevIndex } = {}, { signal } = {}) {
    return this.#change("DELETE", path, { recursive, dir, prevIndex }, { signal });
  }

  async #change(method, path, query, { body, signal }) {
    const headers = body === undefined ? {} : { "Content-Type": "application/octet-stream" };
    const response = await this.send(method, this.keyUrl(path, query), { body, headers, signal });
    return response.json();
  }

  /** watch calls functions for the events of a key, or with recursive of a subtree, until signal is aborted; see stream.js. */
  watch(path, options) {
    return watchStream(this, path, options);
  }
}

// errorOf makes an ApiError of an answer. Its body is the JSON of /v2/keys, JSON with a message, or text.
async function errorOf(response) {
  const { status } = response;
  const text = await response.text().catch(() => "");
  let body = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch {
    body = { message: text.trim() || `the server answered with status ${status}` };
  }
  const message = body.cause ? `${body.message} (${body.cause})` : body.message ?? body.reason ?? `status ${status}`;
  return new ApiError(message, { status, code: body.errorCode ?? 0, cause: body.cause ?? "", index: body.index ?? 0 });
}

// nextOf returns the value of after in the Link to the next page.
function nextOf(response) {
  const link = /^<([^>]*)>; rel="next"$/.exec(response.headers.get("Link") ?? "");
  return link ? new URL(link[1], response.url).searchParams.get("after") ?? "" : "";
}
