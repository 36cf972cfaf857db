package httpapi

import (
	v2 "pando/httpapi/v2"
	"pando/stats"
)

// The tables of routes. They define the routers, the Allow headers, the labels of the metrics and the CORS headers. The routes of a
// process need no data of a member: they are served as soon as the process listens.
var (
	// monitorRoutes are for monitoring. They are served on the metrics URLs, too.
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
	clientRoutes = []route[*v2.API]{
		{v2.KeysPath, "HEAD,GET,PUT,POST,DELETE", scripts, stats.OpOther, (*v2.API).Keys},
		{"/v2/machines", "GET,HEAD", scripts, stats.OpMembers, (*v2.API).Machines},
		{"/v2/members", memberMethods, scriptsGuarded, stats.OpMembers, (*v2.API).Members},
		{"/v2/members/*", memberMethods, scriptsGuarded, stats.OpMembers, (*v2.API).Members},
		{"/v2/stats/self", "GET", scripts, stats.OpStats, (*v2.API).SelfStats},
		{"/v2/stats/store", "GET", scripts, stats.OpStats, (*v2.API).StoreStats},
		{"/v2/stats/leader", "GET", scripts, stats.OpStats, (*v2.API).LeaderStats},
		{"/v2/snapshot", "GET", noScripts, stats.OpOther, (*v2.API).Snapshot},
	}
	// peerRoutes are served on the peer URLs, beside the routes of package raft. Starting members and proxies find a cluster by them.
	peerRoutes = []route[*v2.API]{
		{"/members", "GET", noScripts, uncounted, plain((*v2.API).PeerMembers)},
	}
)

const memberMethods = "GET,POST,DELETE,PUT"

// noScriptPaths are the paths whose responses no script may read, whatever --cors allows. The responses contain the whole state and
// the memory of the process.
var noScriptPaths = append(noScriptPathsOf(clientRoutes), noScriptPathsOf(profileRoutes)...)
