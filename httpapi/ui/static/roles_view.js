// The roles with their permissions, and the dialogs that change them.
import * as requests from "./auth_requests.js";
import { AuthCommands } from "./auth_commands.js";
import { Field, FormDialog } from "./dialog.js";
import { html, useState } from "./html.js";
import { loadIdentity } from "./identity.js";
import { say } from "./messages.js";
import { changesOf } from "./rights.js";

/** Roles is the table of the roles. */
export function Roles({ api, readonly, roles, users, reload }) {
  const [dialog, setDialog] = useState(null);
  const shared = { api, roles, users, reload, onClose: () => setDialog(null) };
  return html`<section aria-labelledby="roles-title">
    <h2 id="roles-title">Roles</h2>
    <div class="scrolling" tabindex="0" role="region" aria-label="Table of roles"><table>
      <thead><tr><th scope="col">Name</th><th scope="col">May read</th><th scope="col">May write</th>
        ${!readonly && html`<th scope="col">Actions</th>`}</tr></thead>
      <tbody>${roles.map((role) => html`<tr key=${role.role}>
        <th scope="row">${role.role}</th>
        <td><${Patterns} list=${role.permissions?.kv?.read} /></td>
        <td><${Patterns} list=${role.permissions?.kv?.write} /></td>
        ${!readonly && html`<td class="actions">${role.role === "root"
          ? html`<span class="dim">fixed</span>`
          : html`<button type="button" aria-label=${`Change the role ${role.role}`}
              onClick=${() => setDialog({ kind: "change", role })}>Change</button>
            <button type="button" aria-label=${`Delete the role ${role.role}`}
              onClick=${() => setDialog({ kind: "delete", role })}>Delete</button>`}</td>`}
      </tr>`)}</tbody>
    </table></div>
    <p class="dim">The role guest is for requests without a login. A pattern that ends in * stands for all keys that begin with the text
      before it.</p>
    ${!readonly && html`<p><button type="button" onClick=${() => setDialog({ kind: "new" })}>New role</button></p>`}
    ${dialog?.kind === "new" && html`<${RoleDialog} ...${shared} />`}
    ${dialog?.kind === "change" && html`<${RoleDialog} ...${shared} role=${dialog.role} />`}
    ${dialog?.kind === "delete" && html`<${DeleteRoleDialog} ...${shared} role=${dialog.role} />`}
  </section>`;
}

function Patterns({ list }) {
  if (!list?.length) return html`<span class="dim">nothing</span>`;
  return list.map((pattern) => html`<div key=${pattern}><code>${pattern}</code></div>`);
}

/** RoleDialog changes the permissions of a role, or without one creates a role. */
function RoleDialog({ api, role, roles, reload, onClose }) {
  const before = { read: role?.permissions?.kv?.read ?? [], write: role?.permissions?.kv?.write ?? [] };
  const [name, setName] = useState(role?.role ?? "");
  const [permissions, setPermissions] = useState(before);
  const [pattern, setPattern] = useState("");
  const read = changesOf(before.read, permissions.read);
  const write = changesOf(before.write, permissions.write);
  const change = role
    ? requests.changeRole(name, { read: read.grant, write: write.grant }, { read: read.revoke, write: write.revoke })
    : requests.createRole(name, permissions);
  const taken = !role && roles.some((r) => r.role === name);
  const ready = role ? change.etcdctl.length > 0 : name !== "" && !name.includes("/") && !taken;
  const add = () => {
    setPermissions({ read: [...permissions.read, pattern], write: permissions.write });
    setPattern("");
  };
  const submit = async () => {
    await requests.send(api, change);
    say(role ? `The role ${name} is changed.` : `The role ${name} is created.`);
    loadIdentity(api);
    await reload();
  };
  const shown = [...new Set([...before.read, ...before.write, ...permissions.read, ...permissions.write])];
  return html`<${FormDialog} title=${role ? `Change the role ${name}` : "New role"} confirm=${role ? "Change" : "Create"}
    onClose=${onClose} submit=${submit} disabled=${!ready || pattern !== ""}>
    ${!role && html`<${Field} label="Name" value=${name} set=${setName} attributes=${{ autofocus: true, autocapitalize: "none" }}
      hint=${taken ? "There is a role with this name." : "It must not have a slash."} />`}
    <${PermissionTable} shown=${shown} permissions=${permissions} set=${setPermissions} />
    <div class="beside">
      <${Field} label="Pattern to add" value=${pattern} set=${setPattern}
        hint=${pattern === "" ? "/app/* is everything below /app; /app/name is one key." : "Add the pattern, or empty the field."} />
      <button type="button" disabled=${pattern === "" || shown.includes(pattern)} onClick=${add}>Add</button>
    </div>
    ${ready && html`<${AuthCommands} api=${api} changes=${[change]} />`}
  <//>`;
}

function PermissionTable({ shown, permissions, set }) {
  if (shown.length === 0) return html`<p class="dim">The role gives no right yet.</p>`;
  const toggle = (access, pattern) => {
    const list = permissions[access];
    set({ ...permissions, [access]: list.includes(pattern) ? list.filter((p) => p !== pattern) : [...list, pattern] });
  };
  return html`<table>
    <thead><tr><th scope="col">Pattern</th><th scope="col">Read</th><th scope="col">Write</th></tr></thead>
    <tbody>${shown.map((pattern) => html`<tr key=${pattern}>
      <th scope="row"><code>${pattern}</code></th>
      ${["read", "write"].map((access) => html`<td><input type="checkbox" aria-label=${`${access} ${pattern}`}
        checked=${permissions[access].includes(pattern)} onChange=${() => toggle(access, pattern)} /></td>`)}
    </tr>`)}</tbody>
  </table>`;
}

/** DeleteRoleDialog deletes a role after a confirmation. */
function DeleteRoleDialog({ api, role, users, reload, onClose }) {
  const change = requests.deleteRole(role.role);
  const having = users.filter((u) => u.roles?.some((r) => r.role === role.role)).map((u) => u.user);
  const submit = async () => {
    await requests.send(api, change);
    say(`The role ${role.role} is deleted.`);
    loadIdentity(api);
    await reload();
  };
  return html`<${FormDialog} title=${`Delete the role ${role.role}?`} confirm="Delete" danger onClose=${onClose} submit=${submit}>
    <p>${having.length > 0 ? `These users lose its permissions: ${having.join(", ")}.` : "No user has this role."}</p>
    <${AuthCommands} api=${api} changes=${[change]} />
  <//>`;
}
