// The forms for curl and etcdctl of changes of users and roles, in dialogs.
import { curlOf, etcdctlOf } from "./auth_requests.js";
import { html } from "./html.js";
import { say } from "./messages.js";

/** AuthCommands shows what a dialog does as command lines. changes is a list of changes; see auth_requests.js. */
export function AuthCommands({ api, changes }) {
  const curl = changes.map((c) => curlOf(api, c)).join("\n");
  const etcdctl = changes.map((c) => etcdctlOf(api, c)).join("\n");
  return html`<details class="commands">
    <summary>As commands</summary>
    <${Command} name="curl" text=${curl} />
    <${Command} name="etcdctl" text=${etcdctl} />
  </details>`;
}

function Command({ name, text }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say(`The command for ${name} is copied.`);
    } catch {
      say("The browser does not let the page copy. Select the text of the command.", "error");
    }
  };
  return html`<div class="command">
    <pre tabindex="0" aria-label=${`Command for ${name}`}>${text}</pre>
    <button type="button" onClick=${copy}>Copy as ${name}</button>
  </div>`;
}
