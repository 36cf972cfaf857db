import { html } from "./html.js";

/** Users is the view of #/users. */
export function Users() {
  return html`<section><h1>Users</h1></section>`;
}
