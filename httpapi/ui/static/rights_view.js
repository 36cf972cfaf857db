// What a user may do: all patterns of the user's roles, and the rights at one path.
import { Field } from "./dialog.js";
import { html, useId, useState } from "./html.js";
import { clean } from "./paths.js";
import { patternsOf, rightsOf } from "./rights.js";

const guest = "without a login (guest)";

/** Rights explains the rights of the person, or of any user if users is a list. roles are all roles then. */
export function Rights({ who, users, roles }) {
  const [name, setName] = useState(users ? users[0]?.user ?? guest : "");
  const [path, setPath] = useState("/");
  const id = useId();
  const chosen = users ? rolesOf(name, users, roles) : who.roles ?? [];
  return html`<section aria-labelledby="rights-title">
    <h2 id="rights-title">${users ? "What a user may do" : "What you may do"}</h2>
    ${!who.enabled && html`<p class="dim">These rights count when auth is enabled.
      ${!roles?.some((r) => r.role === "guest") && " Enabling auth makes the role guest with the right to all keys."}</p>`}
    ${users && html`<div class="field"><label for=${id}>User</label>
      <select id=${id} value=${name} onChange=${(e) => setName(e.currentTarget.value)}>
        ${[...users.map((u) => u.user), guest].map((u) => html`<option key=${u} value=${u}>${u}</option>`)}
      </select></div>`}
    <${Field} label="At the key" value=${path} set=${setPath} hint="A path, such as /app/name." />
    <${Answers} roles=${chosen} path=${clean(path)} />
    <${PatternTable} roles=${chosen} />
  </section>`;
}

function rolesOf(name, users, roles) {
  if (name === guest) return (roles ?? []).filter((r) => r.role === "guest");
  return users.find((u) => u.user === name)?.roles ?? [];
}

function Answers({ roles, path }) {
  return html`<table class="answers">
    <caption>At <code>${path}</code></caption>
    <thead><tr><th scope="col">Right</th><th scope="col">Allowed</th><th scope="col">By</th></tr></thead>
    <tbody aria-live="polite">${rightsOf(roles, path).map(({ what, grant }) => html`<tr key=${what}>
      <th scope="row">${what}</th>
      <td>${grant ? html`<strong>yes</strong>` : "no"}</td>
      <td>${grant ? html`role ${grant.role}, <code>${grant.pattern}</code>` : "–"}</td>
    </tr>`)}</tbody>
  </table>`;
}

function PatternTable({ roles }) {
  const patterns = patternsOf(roles);
  if (patterns.length === 0) return html`<p>No permission: neither to read nor to write.</p>`;
  return html`<table>
    <caption>All permissions</caption>
    <thead><tr><th scope="col">Pattern</th><th scope="col">Read, by role</th><th scope="col">Write, by role</th></tr></thead>
    <tbody>${patterns.map((p) => html`<tr key=${p.pattern}>
      <th scope="row"><code>${p.pattern}</code></th><td>${p.read.join(", ") || "–"}</td><td>${p.write.join(", ") || "–"}</td>
    </tr>`)}</tbody>
  </table>`;
}
