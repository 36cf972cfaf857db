// The one place that knows the libraries: Preact, its hooks, and htm, which makes elements of template literals. Values in templates become
// text nodes or properties. No module uses innerHTML, so a value can't become markup.
import { Fragment, h, render } from "./vendor/preact.mjs";
import htm from "./vendor/htm.mjs";

export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useReducer, useRef, useState } from "./vendor/hooks.mjs";
export { Fragment, h, render };

/** html`<p>${text}</p>` returns an element of Preact. */
export const html = htm.bind(h);
