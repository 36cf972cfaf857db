// The auth switch: whether the server asks who sends a request.
import * as requests from "./auth_requests.js";
import { AuthCommands } from "./auth_commands.js";
import { Field, FormDialog } from "./dialog.js";
import { html, useState } from "./html.js";
import { loadIdentity } from "./identity.js";
import { checkLogin } from "./login.js";
import { say } from "./messages.js";

/** AuthSwitch shows the switch, and the dialogs that turn it. */
export function AuthSwitch({ api, readonly, users, reload, who }) {
  const [open, setOpen] = useState(false);
  const close = () => setOpen(false);
  const shared = { api, users: users ?? [], reload, onClose: close };
  return html`<section aria-labelledby="switch-title">
    <h2 id="switch-title">Auth is ${who.enabled ? "enabled" : "disabled"}</h2>
    ${!readonly && users && html`<p><button type="button" onClick=${() => setOpen(true)}>
      ${who.enabled ? "Disable auth" : "Enable auth"}</button></p>`}
    ${open && (who.enabled ? html`<${DisableDialog} ...${shared} />` : html`<${EnableDialog} ...${shared} />`)}
  </section>`;
}

// EnableDialog makes the user root if there is none, enables auth, and logs in as root.
function EnableDialog({ api, users, reload, onClose }) {
  const exists = users.some((u) => u.user === "root");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const changes = [...(exists ? [] : [requests.createUser("root", password, [])]), requests.enableAuth];
  const submit = async () => {
    for (const change of changes) await requests.send(api, change);
    try {
      await checkLogin(api, "root", password);
      api.login("root", password);
      say("Auth is enabled. You are logged in as root.");
    } catch (error) {
      say(`Auth is enabled, but the login as root failed: ${error.message}`, "error");
      await loadIdentity(api);
      await reload();
    }
  };
  return html`<${FormDialog} title="Enable auth?" confirm="Enable" onClose=${onClose} submit=${submit}
    disabled=${password === "" || (!exists && password !== again)}>
    <p>From then on the server checks the rights of each request. Requests without a login have the role guest. If there is no such role
      yet, the server makes it with the right to all keys: change the role to close the keys.</p>
    <${Field} label=${exists ? "Password of root" : "Password of the new user root"} value=${password} set=${setPassword}
      attributes=${{ type: "password", autocomplete: exists ? "current-password" : "new-password", autofocus: true }}
      hint=${exists ? "The page logs in with it afterwards." : "Users and roles can't be changed without it."} />
    ${!exists && html`<${Field} label="The password again" value=${again} set=${setAgain}
      attributes=${{ type: "password", autocomplete: "new-password" }}
      hint=${again !== "" && again !== password ? "It is different." : ""} />`}
    <${AuthCommands} api=${api} changes=${changes} />
  <//>`;
}

function DisableDialog({ api, reload, onClose }) {
  const submit = async () => {
    await requests.send(api, requests.disableAuth);
    say("Auth is disabled.");
    await loadIdentity(api);
    await reload();
  };
  return html`<${FormDialog} title="Disable auth?" confirm="Disable" danger onClose=${onClose} submit=${submit}>
    <p>Everybody who reaches this server may then read and change everything. Users and roles stay.</p>
    <${AuthCommands} api=${api} changes=${[requests.disableAuth]} />
  <//>`;
}
