// What the cluster view shows: answers of the member that serves the page, asked for every few seconds while the page is visible.
import { useEffect, useState } from "./html.js";
import { Reading, pointOf } from "./metrics.js";
import { pause, visible } from "./waiting.js";

/** keptTime is how long points of the plots are kept, in milliseconds. */
export const keptTime = 10 * 60 * 1000;

// The points outlive the view, so that the plots are there when a person comes back to it.
const kept = { reading: null, points: [], follower: new Map() };

/**
 * useCluster returns the latest state of the cluster, or null before the first answer; see readState. interval is the time between the
 * answers and the next requests, in milliseconds.
 */
export function useCluster(api, interval) {
  const [state, setState] = useState(null);
  useEffect(() => {
    const stop = new AbortController();
    poll(async () => {
      const next = await readState(api, interval, stop.signal);
      if (!stop.signal.aborted) setState(next);
    }, interval, stop.signal);
    return () => stop.abort();
  }, [api, interval]);
  return state;
}

// poll calls read again and again until signal is aborted, but not while the page is hidden.
async function poll(read, interval, signal) {
  await visible(signal);
  while (!signal.aborted) {
    await read();
    await pause(interval, signal);
    await visible(signal);
  }
}

/**
 * readState asks the member for everything. The parts whose requests failed are undefined, and errors has the reasons by the names of the
 * parts: members, self, store, leader, version, health and reading. points are those of the plots; see pointOf in metrics.js.
 */
async function readState(api, interval, signal) {
  const state = { errors: {} };
  const part = async (name, load) => {
    try {
      state[name] = await load();
    } catch (error) {
      state.errors[name] = error;
    }
  };
  const get = (path) => api.json("GET", path, { signal });
  await Promise.all([
    part("members", async () => (await get("/v2/members")).members),
    part("self", () => get("/v2/stats/self")),
    part("store", () => get("/v2/stats/store")),
    part("version", () => get("/version")),
    part("health", () => readHealth(api, signal)),
    part("reading", () => readMetrics(api, signal)),
  ]);
  // A follower refuses this request, and a browser writes each refusal to its console.
  if (state.self?.state === "StateLeader") {
    await part("leader", async () => reachability(await get("/v2/stats/leader")));
  }
  state.points = keepPoint(state.reading, interval);
  return state;
}

// An unhealthy member answers 503, with the reason in the body. /readyz?verbose would say more, but as text for machines.
async function readHealth(api, signal) {
  const answer = await api.json("GET", "/health", { signal }).catch((error) => {
    if (error.status !== 503) throw error;
    return { health: "false", reason: error.message };
  });
  return { healthy: answer.health === "true", reason: answer.reason ?? "" };
}

async function readMetrics(api, signal) {
  const response = await api.send("GET", api.url("/metrics"), { headers: { Accept: "text/plain" }, signal });
  return new Reading(await response.text(), performance.now());
}

// keepPoint adds the point of a reading to those that are kept, and returns them. Without a reading the lines get a gap.
function keepPoint(reading, interval) {
  if (reading) {
    const point = pointOf(kept.reading, reading);
    const gap = kept.reading && reading.at - kept.reading.at > 4 * interval;
    if (point) kept.points.push(gap ? { at: reading.at } : point);
    kept.reading = reading;
  }
  const oldest = performance.now() - keptTime;
  kept.points = kept.points.filter((p) => p.at >= oldest);
  return kept.points;
}

// reachability adds to each follower of /v2/stats/leader whether it was reached since the last answer: true, false, or undefined if the
// leader had nothing to send.
function reachability(stats) {
  for (const [id, follower] of Object.entries(stats.followers ?? {})) {
    const { success, fail } = follower.counts;
    const before = kept.follower.get(id);
    if (before && success >= before.success && fail >= before.fail) {
      if (success > before.success) follower.reached = true;
      else if (fail > before.fail) follower.reached = false;
      else follower.reached = before.reached;
    }
    kept.follower.set(id, { success, fail, reached: follower.reached });
  }
  return stats;
}

/** warningsOf returns sentences about what a person should look at. */
export function warningsOf({ health, reading, self, errors }) {
  const texts = [];
  const value = (name) => reading?.value(name);
  if (Object.keys(errors).length > 0 && !self && !reading) texts.push("The server does not answer. What is shown is out of date.");
  if (self && !self.leaderInfo?.leader) texts.push("There is no leader: the cluster takes no writes until a quorum has elected one.");
  if (health && !health.healthy) texts.push(`The member is not healthy${health.reason ? ": " + health.reason : ""}.`);
  if (value("checkpoint_failing") === 1) texts.push("Checkpoints can't be written, so the log grows. See the log of the server.");
  if (value("consistency_differences") > 0) texts.push("The data of the members differs. The logs of the servers name the keys.");
  if (value("quota_bytes") > 0 && value("tree_bytes") >= value("quota_bytes")) {
    texts.push("The quota of bytes is reached (--quota-bytes): writes that add bytes are refused. Delete keys, or raise the quota.");
  }
  if (value("mirror_phase") > 0) texts.push("The cluster follows an etcd: changes are carried out by it.");
  if (value("cluster_feature_level") < value("feature_level")) {
    texts.push("Not all members run this version: its new features are off until all do.");
  }
  return texts;
}
