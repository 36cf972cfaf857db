// Reads /metrics of the member that serves the page, and computes from two readings what happened between them.

const interesting = /^(?:pando_|process_)/;
const sampleLine = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

// parseMetrics parses Prometheus' text format to a Map from names to lists of {labels, value}. It keeps Pando's own metrics alone.
function parseMetrics(text) {
  const all = new Map();
  for (const line of text.split("\n")) {
    const match = interesting.test(line) && sampleLine.exec(line);
    if (!match) continue;
    const [, name, inner = "", number] = match;
    const labels = {};
    for (const [, key, value] of inner.matchAll(label)) labels[key] = value.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
    if (!all.has(name)) all.set(name, []);
    all.get(name).push({ labels, value: toNumber(number) });
  }
  return all;
}

const toNumber = (text) => (text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text));

// valueOf returns the value of a metric without labels, or undefined if there is none.
const valueOf = (metrics, name) => metrics.get(name)?.[0]?.value;

// sumOf adds up the samples of a metric whose labels accept returns true for.
const sumOf = (metrics, name, accept = () => true) =>
  (metrics.get(name) ?? []).filter((s) => accept(s.labels)).reduce((sum, s) => sum + s.value, 0);

// The operations of clients, as the label operation names them. Watches are not among them: their time is that of their waiting.
const operations = {
  reads: ["get", "list", "quorum_get"],
  writes: ["set", "create", "create_in_order", "update", "compare_and_swap", "compare_and_delete", "delete", "refresh", "txn"],
};

const isOneOf = (names) => (labels) => names.includes(labels.operation);

// histogramOf adds up the buckets of a histogram: a Map from upper limits to counts.
function histogramOf(metrics, name, accept = () => true) {
  const buckets = new Map();
  for (const { labels, value } of metrics.get(name + "_bucket") ?? []) {
    if (!accept(labels)) continue;
    const limit = toNumber(labels.le);
    buckets.set(limit, (buckets.get(limit) ?? 0) + value);
  }
  return buckets;
}

// quantile returns an estimate of a quantile of what was added to a histogram since before, or null if nothing was.
function quantile(before, after, q) {
  const limits = [...after.keys()].sort((a, b) => a - b);
  const added = limits.map((limit) => after.get(limit) - (before.get(limit) ?? 0));
  const total = added.at(-1) ?? 0;
  if (!(total > 0)) return null;
  const rank = q * total;
  const i = added.findIndex((count) => count >= rank);
  if (limits[i] === Infinity) return limits[i - 1] ?? null;
  const lower = i > 0 ? limits[i - 1] : 0;
  const below = i > 0 ? added[i - 1] : 0;
  return lower + ((limits[i] - lower) * (rank - below)) / (added[i] - below || 1);
}

/** Reading is what one answer of /metrics says about the member. at is the time of the answer in milliseconds. */
export class Reading {
  constructor(text, at) {
    this.at = at;
    this.metrics = parseMetrics(text);
    this.requestTimes = {};
    for (const [kind, names] of Object.entries(operations)) {
      this.requestTimes[kind] = histogramOf(this.metrics, "pando_request_duration_seconds", isOneOf(names));
    }
    this.syncTimes = histogramOf(this.metrics, "pando_wal_fsync_duration_seconds");
  }

  /** value returns the value of a metric of Pando without labels; the name has no prefix. */
  value(name) {
    return valueOf(this.metrics, "pando_" + name);
  }

  /** requests returns the number of requests of a kind since the start of the process. */
  requests(kind) {
    return sumOf(this.metrics, "pando_requests_total", isOneOf(operations[kind]));
  }

  /** start is the time at which the process began, in seconds. Counters begin at 0 then. */
  get start() {
    return valueOf(this.metrics, "process_start_time_seconds");
  }
}

// A client error is an answer as the protocol has it. These outcomes are failures of the server.
const failures = new Set(["internal", "timeout", "unavailable"]);

/** pointOf returns the values of the plots at a reading, from the reading before it, or null if there is none to compare with. */
export function pointOf(before, now) {
  if (!before || before.start !== now.start || now.at <= before.at) return null;
  const seconds = (now.at - before.at) / 1000;
  const perSecond = (value) => Math.max(0, value(now) - value(before)) / seconds;
  const times = (reading, kind) => reading.requestTimes[kind];
  return {
    at: now.at,
    reads: perSecond((r) => r.requests("reads")),
    writes: perSecond((r) => r.requests("writes")),
    failures: perSecond((r) => sumOf(r.metrics, "pando_requests_total", ({ outcome }) => failures.has(outcome))),
    refused: perSecond((r) => sumOf(r.metrics, "pando_requests_refused_total")),
    readTime: quantile(times(before, "reads"), times(now, "reads"), 0.5),
    readTime99: quantile(times(before, "reads"), times(now, "reads"), 0.99),
    writeTime: quantile(times(before, "writes"), times(now, "writes"), 0.5),
    writeTime99: quantile(times(before, "writes"), times(now, "writes"), 0.99),
    syncTime: quantile(before.syncTimes, now.syncTimes, 0.5),
    syncTime99: quantile(before.syncTimes, now.syncTimes, 0.99),
    lag: (now.value("raft_committed_index") ?? 0) - (now.value("raft_applied_index") ?? 0),
    watches: now.value("watches"),
    bytes: now.value("tree_bytes"),
    memory: valueOf(now.metrics, "process_resident_memory_bytes"),
    processor: perSecond((r) => valueOf(r.metrics, "process_cpu_seconds_total") ?? 0),
  };
}
