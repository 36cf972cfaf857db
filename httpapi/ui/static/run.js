// Carries out the steps of a plan: in one transaction if they fit into one, else one after the other.

const maxOperations = 128; // of a transaction; the server has the same limit
const maxTransaction = 512 * 1024; // bytes of keys and values; the server may have a limit of its own (--max-request-bytes)
const parallel = 8; // requests at the same time, so that the server can commit them together

/** fitsTransaction reports whether a plan fits into one transaction. Bytes that are no text don't: its body is JSON. */
export function fitsTransaction({ steps, removals, compares }) {
  const all = [...steps, ...removals];
  const size = all.reduce((sum, s) => sum + s.key.length + (s.value?.length ?? 0), 0);
  return all.length <= maxOperations && compares.length <= maxOperations && size <= maxTransaction && !all.some((s) => s.bytes);
}

/** Changed means that the tree was changed since the plan, so that nothing was written. */
export class Changed extends Error {}

/** runAtOnce carries out a plan as one transaction: all of it, or nothing. */
export async function runAtOnce(api, { steps, removals, compares }, { signal } = {}) {
  const body = { compare: compares, then: [...steps, ...removals].map(operationOf) };
  let answer;
  try {
    answer = await api.json("POST", "/v2/txn", { body, signal });
  } catch (error) {
    if ([100, 101, 105, 108].includes(error.code)) throw new Changed(`Nothing was written: ${error.message}. Make the preview again`);
    throw error;
  }
  if (!answer.succeeded) throw new Changed("Nothing was written: a key was changed since the preview. Make the preview again");
  return answer;
}

// A field that is undefined is not sent. A permanent node has no ttl.
const operationOf = ({ action, key, value, dir, ttl, prevIndex }) => ({ action, key, value, dir, ttl: ttl || undefined, prevIndex });

/** isUnavailable reports whether an error of runAtOnce says that the server has no transactions now, or that this one is too large. */
export const isUnavailable = (error) => [404, 405, 413, 501, 503].includes(error.status);

/**
 * runSteps carries out a plan step by step: directories, keys, then the removals. It is not atomic: others see what is between two steps,
 * and after an error or an abort a part is done. onProgress gets the number of steps that are done. It returns {done, error}: the steps
 * that were done, with the index of each, and the error that stopped it, or null.
 */
export async function runSteps(api, { steps, removals }, { signal, onProgress = () => {} } = {}) {
  const done = [];
  const phases = [
    { list: steps.filter((s) => s.dir), width: 1 },
    { list: steps.filter((s) => !s.dir), width: parallel },
    { list: removals.filter((s) => !s.dir), width: parallel },
    { list: removals.filter((s) => s.dir), width: 1 },
  ];
  for (const { list, width } of phases) {
    const error = await runPhase(list, width, signal, async (step) => {
      const event = await runStep(api, step);
      done.push({ ...step, index: event.node.modifiedIndex });
      onProgress(done.length);
    });
    if (error) return { done, error };
  }
  return { done, error: null };
}

// runPhase calls run for each step, for width of them at the same time. After an error it begins no further ones, and returns the error.
async function runPhase(list, width, signal, run) {
  let next = 0;
  let failed = null;
  const worker = async () => {
    while (next < list.length && !failed) {
      if (signal?.aborted) {
        failed = new DOMException("canceled", "AbortError");
        return;
      }
      const step = list[next++];
      try {
        await run(step);
      } catch (error) {
        failed ??= new Error(`${step.key}: ${error.message}`, { cause: error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, list.length) }, worker));
  return failed;
}

const encoder = new TextEncoder();

// A request that was sent is not aborted: the page would not know whether it had an effect.
function runStep(api, { action, key, dir, value, bytes, ttl, prevIndex }) {
  if (action === "delete") return api.remove(key, { dir, prevIndex });
  const lifetime = ttl || undefined;
  if (dir) return api.putDirectory(key, { ttl: lifetime, prevExist: "false" });
  const conditions = action === "create" ? { prevExist: "false" } : { prevIndex };
  return api.put(key, bytes ?? encoder.encode(value ?? ""), { ttl: lifetime, ...conditions });
}

/**
 * undo removes what steps have created, unless it was changed since, and the new directories of their plan that are empty then. It returns
 * the number of keys that it could not remove.
 */
export async function undo(api, { items }, done) {
  let left = 0;
  const remove = async (step) => {
    await runStep(api, { action: "delete", ...step }).catch((error) => {
      if (error.code !== 100) left++; // gone is as good as removed
    });
  };
  const keys = done.filter((s) => s.action === "create" && !s.dir);
  for (const { key, index } of keys) await remove({ key, prevIndex: index });
  const directories = items.filter((i) => i.dir && i.state === "new").reverse();
  for (const { key } of directories) await remove({ key, dir: true });
  return left;
}

/**
 * aged returns a plan whose TTLs are shorter by the seconds that have passed since the nodes were read. None gets shorter than a second.
 */
export function aged(plan, seconds) {
  const age = (step) => (step.ttl ? { ...step, ttl: Math.max(1, Math.round(step.ttl - seconds)) } : step);
  return { ...plan, steps: plan.steps.map(age) };
}
