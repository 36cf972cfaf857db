// The forms for curl and etcdctl of changes of users and roles, in dialogs.
import { curlOf, etcdctlOf } from "./auth_requests.js";
import { copyText } from "./bytes.js";
import { html } from "./html.js";
import { say } from "./messages.js";

/** AuthCommands shows what a dialog does as command lines. changes is a list of changes; see auth_requests.js. */
export function AuthCommands({ api, changes }) {
  const curl = changes.map((c) => curlOf(api, c)).join("\n");
  const etcdctl = changes.map((c) => etcdctlOf(api, c)).join("\n");
  return html`<details class="commands">
    <summary>As a command</summary>
    <${Command} name="curl" text=${curl} />
    <${Command} name="etcdctl" text=${etcdctl} />
  </details>`;
}

function Command({ name, text }) {
  const copy = async () => {
    if (await copyText(text)) say("The command was copied.");
    else say("The browser does not allow copying; mark the command instead.", "error");
  };
  return html`<div class="command">
    <pre tabindex="0" role="region" aria-label=${`Command of ${name}`}>${text}</pre>
    <button type="button" onClick=${copy}>Copy as ${name}</button>
  </div>`;
}
