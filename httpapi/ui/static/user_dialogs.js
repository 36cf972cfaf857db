// The dialogs that create, change and delete a user.
import * as requests from "./auth_requests.js";
import { AuthCommands } from "./auth_commands.js";
import { Field, FormDialog } from "./dialog.js";
import { html, useState } from "./html.js";
import { loadIdentity } from "./identity.js";
import { say } from "./messages.js";
import { changesOf } from "./rights.js";

/** UserDialog changes a user, or without one creates a user. users and roles are those that exist. */
export function UserDialog({ api, user, users, roles, reload, onClose }) {
  const before = (user?.roles ?? []).map((r) => r.role);
  const [name, setName] = useState(user?.user ?? "");
  const [password, setPassword] = useState("");
  const [chosen, setChosen] = useState(before);
  const change = user
    ? requests.changeUser(name, { ...changesOf(before, chosen), password })
    : requests.createUser(name, password, chosen);
  const taken = !user && users.some((u) => u.user === name);
  const ready = user ? change.etcdctl.length > 0 : name !== "" && password !== "" && !taken && !name.includes("/");
  const submit = async () => {
    if (!user) await refuseExisting(api, name);
    await requests.send(api, change);
    if (api.user === name && password) api.login(name, password);
    say(user ? `The user ${name} is changed.` : `The user ${name} is created.`);
    loadIdentity(api);
    await reload();
  };
  return html`<${FormDialog} title=${user ? `Change the user ${name}` : "New user"} confirm=${user ? "Change" : "Create"}
    onClose=${onClose} submit=${submit} disabled=${!ready}>
    ${!user && html`<${Field} label="Name" value=${name} set=${setName} attributes=${{ autofocus: true, autocapitalize: "none" }}
      hint=${taken ? "There is a user with this name." : "It must not have a slash."} />`}
    <${Field} label=${user ? "New password" : "Password"} value=${password} set=${setPassword}
      attributes=${{ type: "password", autocomplete: "new-password" }} hint=${user && "Empty: the password stays as it is."} />
    <${RoleChoice} roles=${roles} user=${name} before=${before} chosen=${chosen} set=${setChosen} />
    ${ready && html`<${AuthCommands} api=${api} changes=${[change]} />`}
  <//>`;
}

// refuseExisting throws an error if there is a user with the name. Without roles, the request for a new user would set the password of one.
async function refuseExisting(api, name) {
  const { users } = await api.json("GET", "/v2/auth/users");
  if (users?.some((u) => u.user === name)) throw new Error(`There is a user ${name} now. Close this dialog, and change that user.`);
}

function RoleChoice({ roles, user, before, chosen, set }) {
  const names = [...new Set([...roles.map((r) => r.role), ...before])].filter((r) => r !== "guest");
  const toggle = (role) => set(chosen.includes(role) ? chosen.filter((r) => r !== role) : [...chosen, role]);
  return html`<fieldset class="choice"><legend>Roles</legend>
    ${names.map((role) => html`<label key=${role}>
      <input type="checkbox" checked=${chosen.includes(role)} disabled=${role === "root" && user === "root"}
        onChange=${() => toggle(role)} />
      ${" "}${role}
    </label>`)}
  </fieldset>`;
}

/** DeleteUserDialog deletes a user after a confirmation. */
export function DeleteUserDialog({ api, user, who, reload, onClose }) {
  const change = requests.deleteUser(user.user);
  const submit = async () => {
    await requests.send(api, change);
    say(`The user ${user.user} is deleted.`);
    if (who.user !== user.user) await reload();
    else api.logout();
  };
  return html`<${FormDialog} title=${`Delete the user ${user.user}?`} confirm="Delete" danger onClose=${onClose} submit=${submit}>
    <p>The user can't log in any more, and its watches end. The keys stay.</p>
    ${who.user === user.user && html`<p class="problem">This is you: your login ends.</p>`}
    <${AuthCommands} api=${api} changes=${[change]} />
  <//>`;
}
