// The view of the cluster: members, the state of the member that serves the page, and plots of the last minutes.
import { keptTime, useCluster, warningsOf } from "./cluster.js";
import { html, useId, useState } from "./html.js";
import { Plot } from "./plot.js";
import { bytes, count, duration, span } from "./units.js";

const intervals = [[1, "every second"], [5, "every 5 seconds"], [30, "every 30 seconds"]];

/** Overview is the view of #/cluster. */
export function Overview({ api }) {
  const [seconds, setSeconds] = useState(5);
  const state = useCluster(api, 1000 * seconds);
  if (!state) return html`<section class="overview"><h1>Cluster</h1><p class="dim">Asking the server …</p></section>`;
  const warnings = warningsOf(state);
  return html`<section class="overview">
    <div class="title"><h1>Cluster</h1><${IntervalChoice} seconds=${seconds} set=${setSeconds} /></div>
    <div role="status" class="warnings">${warnings.map((text) => html`<p key=${text} class="warning">${text}</p>`)}</div>
    <${Members} state=${state} />
    <${Plots} points=${state.points} errors=${state.errors} />
    <${Facts} state=${state} />
  </section>`;
}

function IntervalChoice({ seconds, set }) {
  const id = useId();
  return html`<span class="interval"><label for=${id}>Ask the server</label>
    ${" "}<select id=${id} value=${seconds} onChange=${(e) => set(Number(e.currentTarget.value))}>
      ${intervals.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}
    </select></span>`;
}

function Members({ state }) {
  const { members = [], self, leader } = state;
  const leaderId = self?.leaderInfo?.leader;
  return html`<section aria-labelledby="members-title">
    <h2 id="members-title">Members</h2>
    <div class="scrolling" tabindex="0" role="region" aria-label="Table of members">
      <table>
        <thead><tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">State</th>
          <th scope="col">Confirms in</th><th scope="col">Client URLs</th><th scope="col">ID</th></tr></thead>
        <tbody>${members.map((m) => html`<tr key=${m.id}>
          <th scope="row">${m.name || html`<span class="dim">not started</span>`}
            ${m.id === self?.id && html` <span class="badge">serves this page</span>`}</th>
          <td>${roleOf(m, leaderId)}</td>
          <td>${stateOf(m, state)}</td>
          <td>${latencyOf(leader?.followers?.[m.id])}</td>
          <td>${m.clientURLs.map((url) => html`<div key=${url}><${MemberLink} url=${url} own=${m.id === self?.id} /></div>`)}</td>
          <td class="mono">${m.id}</td>
        </tr>`)}</tbody>
      </table>
    </div>
    <${Sources} state=${state} />
  </section>`;
}

function roleOf(member, leaderId) {
  if (member.name === "" && member.clientURLs.length === 0) return "–";
  return member.id === leaderId ? html`<strong>leader</strong>` : "follower";
}

// stateOf says what this page can know about a member: the browser asks the server of the page alone.
function stateOf(member, { self, health, leader }) {
  if (member.id === self?.id) return health?.healthy ? "healthy" : html`<strong class="problem">not healthy</strong>`;
  const follower = leader?.followers?.[member.id];
  if (follower?.reached === true) return "reached by the leader";
  if (follower?.reached === false) return html`<strong class="problem">not reached by the leader</strong>`;
  return html`<span class="dim">unknown</span>`;
}

function latencyOf(follower) {
  if (!follower || follower.counts.success === 0) return "–";
  const { current, average } = follower.latency;
  return `${duration(current / 1000)}, mean ${duration(average / 1000)}`;
}

// MemberLink links to the page of another member. A URL comes from the configuration of a member: it is a link only if it is of the web.
function MemberLink({ url, own }) {
  if (own || !/^https?:\/\/[^/]/i.test(url)) return html`<span class="mono">${url}</span>`;
  return html`<a class="mono" href=${url.replace(/\/+$/, "") + "/ui/#/cluster"} rel="noreferrer">${url}</a>`;
}

// Sources says where the numbers come from, and what this page can't show.
function Sources({ state }) {
  const { members = [], self, errors } = state;
  if (errors.members) return html`<p class="problem">The members can't be shown: ${errors.members.message}</p>`;
  if (!self || members.length < 2) return null;
  const leader = members.find((m) => m.id === self.leaderInfo?.leader);
  const leads = self.state === "StateLeader";
  return html`<p class="dim">
    A browser may ask only the server from which the page came, here ${self.name}: everything below is about this member.
    ${leads
      ? " As the leader, it measures how long the others take to confirm."
      : ` Only the leader measures how long the others take to confirm${leader ? `: open the page of ${leader.name}` : ""}.`}
    ${" "}The links lead to the pages of the other members.
  </p>`;
}

const perSecond = (value) => `${count(value)}/s`;

const plots = [
  { title: "Writes", series: [{ field: "writes" }], format: perSecond },
  { title: "Reads", series: [{ field: "reads" }], format: perSecond },
  { title: "Time of a write", series: [{ field: "writeTime", name: "median" }, { field: "writeTime99", name: "99 %" }], format: duration },
  { title: "Time of a read", series: [{ field: "readTime", name: "median" }, { field: "readTime99", name: "99 %" }], format: duration },
  { title: "Sync of the log", series: [{ field: "syncTime", name: "median" }, { field: "syncTime99", name: "99 %" }], format: duration },
  { title: "Entries to apply", series: [{ field: "lag" }], format: count },
  { title: "Failed, refused", series: [{ field: "failures", name: "failed" }, { field: "refused", name: "refused" }], format: perSecond },
  { title: "Watches", series: [{ field: "watches" }], format: count },
  { title: "Size of keys and values", series: [{ field: "bytes" }], format: bytes },
  { title: "Memory of the process", series: [{ field: "memory" }], format: bytes },
  { title: "Processors in use", series: [{ field: "processor" }], format: (v) => v.toFixed(2) },
];

function Plots({ points, errors }) {
  if (errors.reading?.status === 404) {
    return html`<p class="dim">This member serves /metrics on other addresses alone (--listen-metrics-urls), so there are no plots.</p>`;
  }
  return html`<section aria-labelledby="plots-title">
    <h2 id="plots-title">The last ${span(keptTime / 1000)} of this member</h2>
    ${points.length === 0 && html`<p class="dim">The plots begin with the second answer of the server, in a few seconds.</p>`}
    <div class="plots">${plots.map((p) => html`<${Plot} key=${p.title} ...${p} points=${points} span=${keptTime} />`)}</div>
  </section>`;
}

function Facts({ state }) {
  const groups = factsOf(state);
  return html`<section aria-labelledby="facts-title">
    <h2 id="facts-title">This member${state.self ? `: ${state.self.name}` : ""}</h2>
    <div class="facts">${groups.map(({ title, facts }) => html`<section key=${title}>
      <h3>${title}</h3>
      <dl>${facts.filter(([, text]) => text).map(([name, text]) => html`<div key=${name}><dt>${name}</dt><dd>${text}</dd></div>`)}</dl>
    </section>`)}</div>
  </section>`;
}

function factsOf({ self, version, reading, store }) {
  const value = (name) => reading?.value(name);
  const number = (name, format = count) => (value(name) === undefined ? "" : format(value(name)));
  const limited = (name, format = count) => {
    const limit = value(name + "_limit");
    return value(name) === undefined ? "" : number(name, format) + (limit > 0 ? ` of ${format(limit)}` : "");
  };
  const committed = value("raft_committed_index");
  const applied = value("raft_applied_index");
  return [
    { title: "Log", facts: [
      ["Leader since", self?.leaderInfo?.leader ? sinceText(self.leaderInfo.startTime) : ""],
      ["Term", number("raft_term")],
      ["Changes of the leader", number("leader_changes_total")],
      ["Committed index", number("raft_committed_index")],
      ["Applied index", number("raft_applied_index")],
      ["Lag", committed === undefined ? "" : `${count(committed - applied)} entries`],
      ["Proposals pending", number("proposals_pending")],
      ["Log in memory", number("raft_log_bytes", bytes)],
    ] },
    { title: "Keys", facts: [
      ["Nodes", number("tree_nodes")],
      ["Size", number("tree_bytes", bytes) + (value("quota_bytes") > 0 ? ` of ${number("quota_bytes", bytes)}` : "")],
      ["History of events", value("history_oldest_index") ? `${number("history_oldest_index")} to ${number("history_newest_index")}` : ""],
      ["Expired keys", store ? count(store.expireCount) : ""],
    ] },
    { title: "Clients", facts: [
      ["Connections", limited("connections")],
      ["Watches", limited("watches")],
      ["Requests in flight", limited("inflight_requests")],
      ["Bytes in flight", number("inflight_bytes", bytes)],
      ["Stalled clients cut off", number("stalled_clients_total")],
    ] },
    { title: "Program", facts: [
      ["Version", version ? version.pando : ""],
      ["API", version ? `etcd ${version.etcdserver}` : ""],
      ["Feature level", value("cluster_feature_level") === undefined ? ""
        : `${number("cluster_feature_level")}, this version has ${number("feature_level")}`],
      ["Started", self ? sinceText(self.startTime) : ""],
    ] },
  ];
}

// sinceText returns how long a time of the server is past, by the clock of the browser.
function sinceText(time) {
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  return Number.isFinite(seconds) ? `${span(seconds)} ago` : "";
}
