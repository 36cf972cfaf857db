// The view of users: who the person is, what users may do, users, roles, and the auth switch.
import { AuthSwitch } from "./auth_switch.js";
import { html, useCallback, useEffect, useState } from "./html.js";
import { isRoot, useIdentity } from "./identity.js";
import { Rights } from "./rights_view.js";
import { Roles } from "./roles_view.js";
import { UserDialog, DeleteUserDialog } from "./user_dialogs.js";

/** Users is the view of #/users. */
export function Users({ api, readonly }) {
  const who = useIdentity(api);
  const root = isRoot(who);
  const { users, roles, problem, reload } = useUsers(api, root);
  if (who === null) return html`<section class="users"><h1>Users</h1><p class="dim">Asking the server …</p></section>`;
  const shared = { api, readonly, users, roles, reload, who };
  return html`<section class="users">
    <h1>Users</h1>
    <${Self} who=${who} />
    ${root && html`<${AuthSwitch} ...${shared} />`}
    ${problem && html`<p class="problem" role="alert">Users and roles can't be shown: ${problem}</p>`}
    ${root && users && html`<${UserTable} ...${shared} />`}
    ${root && roles && html`<${Roles} ...${shared} />`}
    ${(root ? users && roles : true) && html`<${Rights} who=${who} users=${root ? users : null} roles=${roles} />`}
  </section>`;
}

// useUsers reads users and roles if the person may. reload reads them anew.
function useUsers(api, root) {
  const [state, setState] = useState({ users: null, roles: null, problem: "" });
  const reload = useCallback(async () => {
    try {
      const [{ users }, { roles }] = await Promise.all([api.json("GET", "/v2/auth/users"), api.json("GET", "/v2/auth/roles")]);
      setState({ users: users ?? [], roles: roles ?? [], problem: "" });
    } catch (error) {
      setState({ users: null, roles: null, problem: error.message });
    }
  }, [api]);
  useEffect(() => {
    if (root) reload();
    else setState({ users: null, roles: null, problem: "" });
  }, [root, reload]);
  return { ...state, reload };
}

function Self({ who }) {
  if (!who.enabled) return html`<p>Auth is disabled: everybody who reaches this server may do everything.</p>`;
  const names = (who.roles ?? []).map((r) => r.role).join(", ") || "none";
  const proof = { password: "by password", certificate: "by client certificate" }[who.proof];
  return html`<p>
    ${who.user ? html`You are <strong>${who.user}</strong> (${proof}).` : "You are not logged in, and have the rights of guests."}
    ${" "}Your roles: <strong>${names}</strong>.
    ${!isRoot(who) && " All users and roles are shown to users with the role root."}
  </p>`;
}

function UserTable({ api, readonly, users, roles, reload, who }) {
  const [dialog, setDialog] = useState(null);
  const close = () => setDialog(null);
  const shared = { api, users, roles, reload, onClose: close };
  const namesOf = (user) => (user.roles ?? []).map((r) => r.role);
  return html`<section aria-labelledby="users-title">
    <h2 id="users-title">Users</h2>
    ${users.length === 0 && html`<p class="dim">There are no users yet.</p>`}
    ${users.length > 0 && html`<div class="scrolling" tabindex="0" role="region" aria-label="Table of users"><table>
      <thead><tr><th scope="col">Name</th><th scope="col">Roles</th>${!readonly && html`<th scope="col">Actions</th>`}</tr></thead>
      <tbody>${users.map((user) => html`<tr key=${user.user}>
        <th scope="row">${user.user}${who.user === user.user && html` <span class="badge">you</span>`}</th>
        <td>${namesOf(user).join(", ") || html`<span class="dim">none</span>`}</td>
        ${!readonly && html`<td class="actions">
          <button type="button" aria-label=${`Change the user ${user.user}`}
            onClick=${() => setDialog({ kind: "change", user })}>Change</button>
          <button type="button" aria-label=${`Delete the user ${user.user}`}
            onClick=${() => setDialog({ kind: "delete", user })}>Delete</button>
        </td>`}
      </tr>`)}</tbody>
    </table></div>`}
    ${!readonly && html`<p><button type="button" onClick=${() => setDialog({ kind: "new" })}>New user</button></p>`}
    ${dialog?.kind === "new" && html`<${UserDialog} ...${shared} />`}
    ${dialog?.kind === "change" && html`<${UserDialog} ...${shared} user=${dialog.user} />`}
    ${dialog?.kind === "delete" && html`<${DeleteUserDialog} ...${shared} user=${dialog.user} who=${who} />`}
  </section>`;
}
