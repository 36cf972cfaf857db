// The history of a key.

/** History shows the events of the key at path, as far as the server has kept them. */
export function History() {
  return null;
}
