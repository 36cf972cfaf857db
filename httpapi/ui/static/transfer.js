// Rename, copy, import and export of subtrees.

/** Transfer is a part of the toolbar of a node. node is the result of api.stat. */
export function Transfer() {
  return null;
}
