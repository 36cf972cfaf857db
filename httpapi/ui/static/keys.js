// The view of the keys: the tree beside the chosen node.
import { html } from "./html.js";

/** Keys shows the tree and the node at path. */
export function Keys({ path }) {
  return html`<section class="keys"><h1>${path}</h1></section>`;
}
