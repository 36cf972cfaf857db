// Login and logout with the users of the server. The password stays in the memory of the page: reloading the page ends the login.
import { Api } from "./api.js";
import { Field, FormDialog } from "./dialog.js";
import { html, useState } from "./html.js";
import { useIdentity } from "./identity.js";
import { say } from "./messages.js";

/** SessionMenu shows the user in the header, and the ways to log in and out. onLogin opens the login. */
export function SessionMenu({ api, onLogin }) {
  const who = useIdentity(api);
  const logout = () => {
    api.logout();
    say("You are logged out.");
  };
  if (api.user) {
    return html`<span class="session">
      <span>Logged in as <strong>${api.user}</strong></span>
      <button type="button" onClick=${logout}>Log out</button>
    </span>`;
  }
  if (!who?.enabled) return null; // everybody may do everything
  return html`<span class="session">
    <span class="dim">${who.proof === "certificate" ? `${who.user}, by certificate` : "Guest"}</span>
    <button type="button" onClick=${onLogin}>Log in</button>
  </span>`;
}

/** Login asks for a name and a password. close removes it. */
export function Login({ api, close }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const submit = async () => {
    await checkLogin(api, name, password);
    api.login(name, password);
  };
  return html`<${FormDialog} title="Log in" confirm="Log in" onClose=${close} submit=${submit} disabled=${name === "" || password === ""}>
    <p>Auth is enabled on this server: what you see and may do depends on the user.</p>
    <${Field} label="User" value=${name} set=${setName} attributes=${{ name: "username", autocomplete: "username", autofocus: true,
      autocapitalize: "none" }} />
    <${Field} label="Password" value=${password} set=${setPassword} attributes=${{ name: "password", type: "password",
      autocomplete: "current-password" }} hint="The page keeps it in memory alone. Reloading the page ends the login." />
    ${location.protocol === "http:" && !isLoopback() && html`<p class="problem">This page came over HTTP: others on the network can read
      the password.</p>`}
  <//>`;
}

const isLoopback = () => /^(localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname);

/** checkLogin returns if the server accepts the name and the password, and otherwise throws an error that says what to do. */
export async function checkLogin(api, name, password) {
  const candidate = new Api(api.base);
  candidate.login(name, password);
  let answer;
  try {
    answer = await candidate.json("GET", "/v2/auth/self");
  } catch (error) {
    if (error.status === 401) throw new Error("The name or the password is wrong.");
    if (error.status === 429) throw new Error("Too many logins have failed. Wait a minute, and try again.");
    throw error;
  }
  if (!answer.enabled) throw new Error("Auth is disabled on this server: there is nothing to log in to. Reload the page.");
}
