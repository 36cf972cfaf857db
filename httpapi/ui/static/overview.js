import { html } from "./html.js";

/** Overview is the view of #/overview. */
export function Overview() {
  return html`<section><h1>Cluster</h1></section>`;
}
