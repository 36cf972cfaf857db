// The forms for curl and etcdctl of changes of users and roles, in dialogs.
import { curlOf, etcdctlOf } from "./auth_requests.js";
import { CommandList } from "./command.js";
import { html } from "./html.js";

/** AuthCommands shows what a dialog does as command lines. changes is a list of changes; see auth_requests.js. */
export function AuthCommands({ api, changes }) {
  const linesOf = (form) => changes.map((change) => form(api, change)).join("\n");
  return html`<${CommandList} commands=${[["curl", linesOf(curlOf)], ["etcdctl", linesOf(etcdctlOf)]]} />`;
}
