// What the permissions of roles allow, by the rules of the server. The server decides; this module only explains.

/**
 * covers reports whether a pattern holds a path, or with subtree the path and everything below it. A pattern that ends in "*" stands for
 * all keys that begin with the text before it, any other one for a single key.
 */
export function covers(pattern, path, subtree) {
  if (!pattern.endsWith("*")) return !subtree && pattern === path;
  return path.startsWith(pattern.slice(0, -1));
}

// grantOf returns the first permission that gives an access ("read" or "write") to a path, as {role, pattern}, or null. One pattern must
// hold the whole subtree: two that hold it together do not count. roles are those of /v2/auth, with their permissions.
function grantOf(roles, access, path, subtree) {
  for (const role of roles) {
    if (role.role === "root") return { role: "root", pattern: "*" };
    const pattern = (role.permissions?.kv?.[access] ?? []).find((p) => covers(p, path, subtree));
    if (pattern !== undefined) return { role: role.role, pattern };
  }
  return null;
}

/** rightsOf returns what roles allow at a path, for people: a list of {what, grant}. */
export function rightsOf(roles, path) {
  return [
    { what: "read and watch the key", grant: grantOf(roles, "read", path, false) },
    { what: "read and watch everything below it, too", grant: grantOf(roles, "read", path, true) },
    { what: "write and delete the key", grant: grantOf(roles, "write", path, false) },
    { what: "delete everything below it, and set the TTL of a directory", grant: grantOf(roles, "write", path, true) },
  ];
}

/** patternsOf returns the patterns of roles, sorted, as a list of {pattern, read, write}. read and write are lists of names of roles. */
export function patternsOf(roles) {
  const all = new Map();
  for (const { role, permissions } of roles) {
    for (const access of ["read", "write"]) {
      for (const pattern of permissions?.kv?.[access] ?? []) {
        if (!all.has(pattern)) all.set(pattern, { pattern, read: [], write: [] });
        all.get(pattern)[access].push(role);
      }
    }
  }
  return [...all.values()].sort((a, b) => (a.pattern < b.pattern ? -1 : 1));
}

/** changesOf compares two lists of names, and returns those to grant and those to revoke. */
export function changesOf(before, after) {
  return { grant: after.filter((x) => !before.includes(x)), revoke: before.filter((x) => !after.includes(x)) };
}
