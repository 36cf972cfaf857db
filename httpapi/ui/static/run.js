// Carries out plans: as one transaction, as several of them, or by a request for each step where the server has no transactions.
import { toBytes } from "./bytes.js";
import { codes } from "./codes.js";

const maxOperations = 128; // of a transaction; the server has the same limit
const maxTransaction = 512 * 1024; // bytes of keys and values; the server may have a limit of its own (--max-request-bytes)
const parallel = 5; // requests at the same time; a browser allows six to a server, and the watch of the page is one of them

/**
 * partsOf divides the steps of a plan into lists that fit into one transaction each. A step with bytes that are no text is alone: the body
 * of a transaction is JSON.
 */
export function partsOf({ steps, removals }) {
  const parts = [];
  let part = null;
  let size = 0;
  for (const step of [...steps, ...removals]) {
    const length = step.key.length + (step.value?.length ?? 0);
    if (step.bytes || part === null || part.length === maxOperations || size + length > maxTransaction) {
      part = [];
      size = 0;
      parts.push(part);
    }
    part.push(step);
    size += length;
    if (step.bytes) part = null;
  }
  return parts;
}

/** fitsTransaction reports whether a plan fits into one transaction. */
export function fitsTransaction(plan) {
  const parts = partsOf(plan);
  return parts.length === 1 && plan.compares.length <= maxOperations && !parts[0][0].bytes;
}

const notEmpty = "a directory at the old path has hidden keys, or keys that are newer than the preview";

// transact sends one transaction, and returns its results. An error names the key that it is about.
async function transact(api, compares, steps) {
  let answer;
  try {
    answer = await api.json("POST", "/v2/txn", { body: { compare: compares, then: steps.map(operationOf) } });
  } catch (error) {
    const number = /then\[(\d+)\]/.exec(error.cause)?.[1];
    if (number === undefined) throw error;
    throw failureOf(steps[Number(number)], error);
  }
  if (!answer.succeeded) throw new Error("a key was changed since the preview");
  return answer.results;
}

// failureOf returns the error of a step. It has the status of the answer.
const failureOf = (step, error) =>
  Object.assign(new Error(error.code === codes.dirNotEmpty ? notEmpty : `${step.key}: ${error.message}`), { status: error.status });

// A field that is undefined is not sent. A permanent node has no ttl.
const operationOf = ({ action, key, value, dir, ttl, prevIndex }) => ({ action, key, value, dir, ttl: ttl || undefined, prevIndex });

/** runAtOnce carries out a plan as one transaction: all of it, or nothing. */
export async function runAtOnce(api, { steps, removals, compares }) {
  await transact(api, compares, [...steps, ...removals]);
}

/** isUnavailable reports whether an error says that the server has no transactions now, or that this one is too large. */
export const isUnavailable = (error) => [404, 405, 413, 501, 503].includes(error.status);

/**
 * runParts carries out a plan as several transactions. It is not atomic: others see what is between two of them, and after an error or an
 * abort a part is done. onProgress gets the number of steps that are done. It returns {done, error}: the steps that were done, with the
 * index of each, and the error that stopped it, or null.
 */
export async function runParts(api, plan, { signal, onProgress = () => {} } = {}) {
  const done = [];
  for (const part of partsOf(plan)) {
    if (signal?.aborted) return { done, error: canceled() };
    try {
      const results = part.length > 1 ? await transact(api, [], part) : [await runStep(api, part[0])];
      part.forEach((step, i) => done.push({ ...step, index: results[i].node.modifiedIndex }));
    } catch (error) {
      return { done, error: part.length > 1 ? error : failureOf(part[0], error) };
    }
    onProgress(done.length);
  }
  return { done, error: null };
}

const canceled = () => new DOMException("canceled", "AbortError");

/** runSteps is runParts with a request for each step: directories, keys, then the removals. */
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
        failed = canceled();
        return;
      }
      const step = list[next++];
      try {
        await run(step);
      } catch (error) {
        failed ??= failureOf(step, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, list.length) }, worker));
  return failed;
}

// A request that was sent is not aborted: the page would not know whether it had an effect.
function runStep(api, { action, key, dir, value, bytes, ttl, prevIndex }) {
  if (action === "delete") return api.remove(key, { dir, prevIndex });
  const lifetime = ttl || undefined;
  if (dir) return api.putDirectory(key, { ttl: lifetime, prevExist: "false" });
  const conditions = action === "create" ? { prevExist: "false" } : { prevIndex };
  return api.put(key, bytes ?? toBytes(value ?? ""), { ttl: lifetime, ...conditions });
}

/**
 * undo removes what steps have created, unless it was changed since, and the new directories of their plan that are empty then. It returns
 * the number of keys that it could not remove.
 */
export async function undo(api, { items }, done) {
  let left = 0;
  const remove = async (step) => {
    await runStep(api, { action: "delete", ...step }).catch((error) => {
      if (error.code !== codes.notFound) left++; // gone is as good as removed
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
