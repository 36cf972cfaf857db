// Requests that change users, roles and the auth switch, each with its forms for curl and etcdctl.
//
// A Change is {method, path, body, etcdctl}: a request under /v2/auth and the arguments of etcdctl that do the same. etcdctl is a list of
// lists, because some changes take several commands.
import { quote } from "./command.js";

// word returns a word of a command line. Options stay as they are.
const word = (text) => (/^--?[\w]+$/.test(text) ? text : quote(text));

const named = (kind, name) => `/v2/auth/${kind}/${encodeURIComponent(name)}`;

/** send sends a Change, and returns the answer. */
export const send = (api, { method, path, body }) => api.json(method, path, { body });

/** curlOf returns a Change as a command line of curl. Passwords are left out. */
export function curlOf(api, { method, path, body }) {
  const words = ["curl", ...(api.user ? ["-u", api.user] : []), api.url(path).href, `-X${method}`];
  if (body !== undefined) words.push("-d", JSON.stringify(body.password ? { ...body, password: "PASSWORD" } : body));
  return words.map(word).join(" ");
}

/** etcdctlOf returns a Change as command lines of etcdctl, which ask for passwords. */
export function etcdctlOf(api, { etcdctl }) {
  const begin = ["etcdctl", "--endpoints", api.base.href.replace(/\/$/, ""), ...(api.user ? ["-u", api.user] : [])];
  return etcdctl.map((words) => "ETCDCTL_API=2 " + [...begin, ...words].map(word).join(" ")).join("\n");
}

/** createUser makes a user with a password and names of roles. Without roles, it would set the password of a user that exists. */
export function createUser(name, password, roles) {
  const body = roles.length > 0 ? { user: name, password, roles } : { user: name, password };
  const grant = roles.length > 0 ? [["user", "grant", "--roles", roles.join(","), name]] : [];
  return { method: "PUT", path: named("users", name), body, etcdctl: [["user", "add", name], ...grant] };
}

/** changeUser grants and revokes roles, and sets a password unless it is empty. */
export function changeUser(name, { grant, revoke, password }) {
  const body = { user: name };
  const etcdctl = [];
  if (password) {
    body.password = password;
    etcdctl.push(["user", "passwd", name]);
  }
  if (grant.length > 0) {
    body.grant = grant;
    etcdctl.push(["user", "grant", "--roles", grant.join(","), name]);
  }
  if (revoke.length > 0) {
    body.revoke = revoke;
    etcdctl.push(["user", "revoke", "--roles", revoke.join(","), name]);
  }
  return { method: "PUT", path: named("users", name), body, etcdctl };
}

/** deleteUser deletes a user. */
export const deleteUser = (name) => ({ method: "DELETE", path: named("users", name), etcdctl: [["user", "remove", name]] });

// grantCommands returns the commands that grant or revoke patterns. permissions is {read, write}, two lists of patterns.
function grantCommands(verb, role, { read, write }) {
  const both = read.filter((p) => write.includes(p));
  const commands = both.map((p) => [p, "--readwrite"]);
  for (const p of read) if (!both.includes(p)) commands.push([p, "--read"]);
  for (const p of write) if (!both.includes(p)) commands.push([p, "--write"]);
  return commands.map(([pattern, access]) => ["role", verb, "--path", pattern, access, role]);
}

/** createRole makes a role with permissions: {read, write}, two lists of patterns. */
export function createRole(name, permissions) {
  return {
    method: "PUT", path: named("roles", name), body: { role: name, permissions: { kv: permissions } },
    etcdctl: [["role", "add", name], ...grantCommands("grant", name, permissions)],
  };
}

/** changeRole grants and revokes permissions. Both are {read, write}. */
export function changeRole(name, grant, revoke) {
  const some = ({ read, write }) => read.length + write.length > 0;
  const body = { role: name };
  if (some(grant)) body.grant = { kv: grant };
  if (some(revoke)) body.revoke = { kv: revoke };
  return {
    method: "PUT", path: named("roles", name), body,
    etcdctl: [...grantCommands("grant", name, grant), ...grantCommands("revoke", name, revoke)],
  };
}

/** deleteRole deletes a role. Users keep its name, without its permissions. */
export const deleteRole = (name) => ({ method: "DELETE", path: named("roles", name), etcdctl: [["role", "remove", name]] });

/** enableAuth and disableAuth are the switch. */
export const enableAuth = { method: "PUT", path: "/v2/auth/enable", etcdctl: [["auth", "enable"]] };
export const disableAuth = { method: "DELETE", path: "/v2/auth/enable", etcdctl: [["auth", "disable"]] };
