// Rename, copy, import and export of subtrees: the buttons in the toolbar of a node.
import { CopyDialog } from "./copy.js";
import { ExportDialog } from "./export.js";
import { html, useState } from "./html.js";
import { ImportDialog } from "./import.js";

/** Transfer is a part of the toolbar of a node. node is the result of api.stat. */
export function Transfer({ api, node, navigate, readonly }) {
  const [dialog, setDialog] = useState("");
  const shared = { api, node, navigate, onClose: () => setDialog("") };
  return html`
    ${!readonly && html`<button type="button" onClick=${() => setDialog("copy")}>
      ${node.key === "/" ? "Copy" : "Rename or copy"}</button>`}
    <button type="button" onClick=${() => setDialog("export")}>Export</button>
    ${!readonly && node.dir && html`<button type="button" onClick=${() => setDialog("import")}>Import</button>`}
    ${dialog === "copy" && html`<${CopyDialog} ...${shared} />`}
    ${dialog === "export" && html`<${ExportDialog} ...${shared} />`}
    ${dialog === "import" && html`<${ImportDialog} ...${shared} />`}
  `;
}
