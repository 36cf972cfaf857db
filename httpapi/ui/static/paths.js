// Paths of keys, and their forms in URLs. A path begins with a slash, has no slash at the end unless it is "/", and has no empty parts.

/** parts("/a/b") is ["a", "b"]. */
export const parts = (path) => path.split("/").filter((part) => part !== "");

/** clean makes a path of what a person typed: "a//b/" becomes "/a/b". */
export const clean = (text) => "/" + parts(text.toWellFormed()).join("/");

/** join("/a", "b") is "/a/b". */
export const join = (directory, name) => clean(directory + "/" + name);

/** parentOf("/a/b") is "/a". The parent of "/" is "/". */
export const parentOf = (path) => "/" + parts(path).slice(0, -1).join("/");

/** nameOf("/a/b") is "b". The name of "/" is "/". */
export const nameOf = (path) => parts(path).at(-1) ?? "/";

/** shownName returns a name on one line: symbols stand for control characters, which could look like further rows. */
export const shownName = (name) => name.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g,
  (c) => (c < " " ? String.fromCharCode(0x2400 + c.charCodeAt(0)) : "\ufffd"));

/** isBelow reports whether a path is below a directory. */
export const isBelow = (path, directory) => path !== directory && path.startsWith(directory === "/" ? "/" : directory + "/");

/** isAtOrBelow reports whether a path is a directory, or below it. */
export const isAtOrBelow = (path, directory) => path === directory || isBelow(path, directory);

/** isHidden reports whether a name or a directory above it begins with "_". The server leaves hidden nodes out of lists. */
export const isHidden = (path) => parts(path).some((part) => part.startsWith("_"));

/** isAddressable reports whether a URL can name the path: the parts "." and ".." have another meaning there. */
export const isAddressable = (path) => !parts(path).some((part) => part === "." || part === "..");

// encodeURIComponent leaves a few characters alone that have a meaning in shells and in texts with links.
const encodePart = (part) => encodeURIComponent(part).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());

/** encodePath returns the path as it stands in a URL, with each part escaped. */
export const encodePath = (path) => "/" + parts(path.toWellFormed()).map(encodePart).join("/");

/** hashOf returns the fragment of the page's URL that shows a view, such as "#/keys/a/b". */
export const hashOf = (view, path = "/") => `#/${view}` + encodePath(path);

/** parseHash is the inverse of hashOf. Text that is no fragment of the page gives the view "". */
export function parseHash(hash) {
  const [view = "", ...rest] = hash.replace(/^#\/?/, "").split("/");
  return { view, path: clean(rest.map(decodePart).join("/")) };
}

function decodePart(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a person may have typed a "%"
  }
}

/** compareNames orders names as the server does, by their bytes in UTF-8. That is the order of code points, not of UTF-16 units. */
export function compareNames(a, b) {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

// Surrogates stand for code points above all others, though U+E000 to U+FFFF have larger units.
const rank = (unit) => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
