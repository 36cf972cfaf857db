// Actions of the page as commands for a shell. The commands never contain the password: both programs ask for it.
import { copyText, toText } from "./bytes.js";
import { html } from "./html.js";
import { say } from "./messages.js";

const longestValue = 60_000; // bytes; a longer value is read from a file, because an argument has a limit
const valueFile = "value.bin";

/** quote returns a text as one word of a POSIX shell. The text must not have NUL. */
export function quote(text) {
  if (/^[A-Za-z0-9_/:=.,@%+][A-Za-z0-9_/:=.,@%+-]*$/.test(text)) return text;
  return "'" + text.replaceAll("'", "'\\''") + "'";
}

// hasControls reports whether a text has control characters. A terminal might obey them when the command is pasted.
const hasControls = (text) => /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(text);

// argument returns a value as a word of a shell, or null if it must be read from the standard input.
function argument(bytes) {
  const text = bytes.length <= longestValue ? toText(bytes) : null;
  return text === null || hasControls(text) ? null : quote(text);
}

// source returns the part of a command that writes bytes to the standard input of the rest. It has only printable characters.
function source(bytes) {
  const escape = (b, i) => {
    const c = String.fromCharCode(b);
    if (c === "%") return "%%";
    return b < 0x20 || b > 0x7e || c === "\\" || c === "'" || (i === 0 && c === "-") ? "\\" + b.toString(8).padStart(3, "0") : c;
  };
  return `printf '${Array.from(bytes, escape).join("")}' | `;
}

/**
 * requestOf returns the request of an action: {method, query, bytes}. An action is {kind, path, bytes?, ttl?, prevIndex?}:
 *
 *   get, list, watch    read a file, a directory, or wait for changes
 *   put                 write a file, if prevIndex is its index
 *   create, mkdir       a new file or directory
 *   createInOrder       a new file with a name that the server chooses, in the directory path
 *   ttl                 replace the TTL of a directory; without ttl it has none
 *   remove, removeAll   a file, if prevIndex is its index; a directory with everything below
 */
function requestOf({ kind, ttl, prevIndex, bytes }) {
  switch (kind) {
    case "get": return { method: "GET", query: { raw: true } };
    case "list": return { method: "GET", query: {} };
    case "watch": return { method: "GET", query: { wait: true, recursive: true, stream: true } };
    case "put": return { method: "PUT", query: { raw: true, ttl, prevIndex }, bytes };
    case "create": return { method: "PUT", query: { raw: true, ttl, prevExist: "false" }, bytes };
    case "createInOrder": return { method: "POST", query: { raw: true, ttl }, bytes };
    case "mkdir": return { method: "PUT", query: { dir: true, ttl, prevExist: "false" } };
    case "ttl": return { method: "PUT", query: { dir: true, ttl, prevExist: "true" } };
    case "remove": return { method: "DELETE", query: { prevIndex } };
    case "removeAll": return { method: "DELETE", query: { recursive: true } };
    default: throw new Error(`no action ${kind}`);
  }
}

/** curlCommand returns the command of curl for an action. */
export function curlCommand(api, action) {
  const { method, query, bytes } = requestOf(action);
  const words = ["curl"];
  if (api.user) words.push("-u", quote(api.user));
  if (method !== "GET") words.push("-X", method);
  if (action.kind === "watch") words.push("-N");
  let before = "";
  if (bytes) {
    words.push("-H", "'Content-Type: application/octet-stream'");
    const word = argument(bytes);
    if (word !== null) words.push("--data-raw", word);
    else if (bytes.length > longestValue) words.push("--data-binary", "@" + valueFile);
    else {
      before = source(bytes);
      words.push("--data-binary", "@-");
    }
  }
  words.push(quote(api.keyUrl(action.path, query).href));
  return before + words.join(" ");
}

/** etcdctlCommand returns the command of etcdctl 3.4 for an action, or null if etcdctl can't do it. */
export function etcdctlCommand(api, action) {
  const { path, ttl, prevIndex, bytes } = action;
  if (hasControls(path)) return null;
  const options = ([name, value]) => (value === undefined || value === null ? [] : ["--" + name, String(value)]);
  const verbs = {
    get: ["get"], list: ["ls"], watch: ["watch", "--recursive", "--forever"], create: ["mk", ...options(["ttl", ttl])],
    put: ["set", ...options(["ttl", ttl]), ...options(["swap-with-index", prevIndex])], mkdir: ["mkdir", ...options(["ttl", ttl])],
    createInOrder: ["mk", "--in-order", ...options(["ttl", ttl])], ttl: ["updatedir", "--ttl", String(ttl ?? 0)],
    remove: ["rm", ...options(["with-index", prevIndex])], removeAll: ["rm", "--recursive"],
  };
  const words = ["ETCDCTL_API=2", "etcdctl", "--no-sync", "--endpoints", quote(api.base.href.replace(/\/$/, ""))];
  if (api.user) words.push("-u", quote(api.user));
  words.push(...verbs[action.kind], "--", quote(path));
  if (!bytes) return words.join(" ");
  if (bytes.length === 0) return null; // etcdctl would wait for input
  const word = argument(bytes);
  if (word !== null) return [...words, word].join(" ");
  return bytes.length > longestValue ? `${words.join(" ")} <${valueFile}` : source(bytes) + words.join(" ");
}

/** Commands shows an action as commands that can be copied. */
export function Commands({ api, action }) {
  const commands = [["curl", curlCommand(api, action)], ["etcdctl", etcdctlCommand(api, action)]];
  const fromFile = (action.bytes?.length ?? 0) > longestValue;
  return html`<${CommandList} commands=${commands}
    note=${fromFile && `The value is too long for a command line: save it as ${valueFile}.`} />`;
}

/** CommandList shows commands that can be copied: pairs of a program and a text, which is null if the program can't do it. */
export function CommandList({ commands, note }) {
  const copy = async (command) => {
    if (await copyText(command)) say("The command was copied.");
    else say("The browser does not allow copying; mark the command instead.", "error");
  };
  return html`<details class="commands">
    <summary>As a command</summary>
    ${note && html`<p class="dim">${note}</p>`}
    ${commands.map(([name, command]) => (command === null ? html`<p class="dim">${name} can't do this.</p>` : html`<div class="command">
      <pre tabindex="0" role="region" aria-label=${`Command of ${name}`}>${command}</pre>
      <button type="button" onClick=${() => copy(command)}>Copy as ${name}</button>
    </div>`))}
  </details>`;
}
