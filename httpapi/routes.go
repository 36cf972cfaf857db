package httpapi

import "pando/stats"

// The tables of routes. The routers, the answers to methods that are not allowed, the labels of the metrics and the CORS
// headers follow from them. Those of a process need no data of a member: they are served as soon as the process listens.
var (
	// monitorRoutes are for those who watch the process. They are served on the metrics URLs, too.
	monitorRoutes = []route[*process]{
		{"/health", "GET", scripts, uncounted, plain((*process).serveHealth)},
		{"/metrics", anyMethod, scripts, uncounted, plain((*process).serveMetrics)},
	}
	// versionRoutes are served to clients and peers.
	versionRoutes = []route[*process]{
		{"/version", "GET", scripts, uncounted, plain((*process).serveVersion)},
	}
	// profileRoutes are Go's profiles of the process.
	profileRoutes = []route[*process]{
		{"/debug/pprof/*", anyMethod, noScripts, uncounted, plain((*process).servePprof)},
	}
	// clientRoutes need the data of a member.
	clientRoutes = []route[*Server]{
		{keysPath, "HEAD,GET,PUT,POST,DELETE", scripts, stats.OpOther, (*Server).keys},
		{"/v2/machines", "GET,HEAD", scripts, stats.OpMembers, (*Server).machines},
		{"/v2/members", memberMethods, ownScripts, stats.OpMembers, (*Server).members},
		{"/v2/members/*", memberMethods, ownScripts, stats.OpMembers, (*Server).members},
		{"/v2/stats/self", "GET", scripts, stats.OpStats, (*Server).statsSelf},
		{"/v2/stats/store", "GET", scripts, stats.OpStats, (*Server).statsStore},
		{"/v2/stats/leader", "GET", scripts, stats.OpStats, (*Server).statsLeader},
		{snapshotPath, "GET", noScripts, stats.OpOther, (*Server).snapshot},
	}
	// peerRoutes are served on the peer URLs, beside those of package raft: members that look for a cluster read them.
	peerRoutes = []route[*Server]{
		{"/members", "GET", noScripts, uncounted, plain((*Server).peerMembers)},
	}
)

const (
	memberMethods = "GET,POST,DELETE,PUT"
	// keysPath is the path of the tree's root.
	keysPath = "/v2/keys"
	// snapshotPath is the path of the member's whole state as a file.
	snapshotPath = "/v2/snapshot"
)

// scriptless are the paths that no script may read, whatever --cors allows: the whole state, and what the memory of the
// process shows.
var scriptless = append(privatePaths(clientRoutes), privatePaths(profileRoutes)...)
