package httpapi

import (
	"slices"

	"pando/httpapi/probe"
	v2 "pando/httpapi/v2"
	v3 "pando/httpapi/v3"
	"pando/stats"
)

// The tables of routes. They define the routers, the Allow headers, the labels of the metrics and the CORS headers, and document which
// right each route needs. The routes of a process need no data of a member: they are served as soon as the process listens.
var (
	// healthRoutes and metricsRoutes are for monitoring. They are served on the metrics URLs, too.
	healthRoutes = []route[*process]{
		{"/health", "GET", forAll, listedPages, uncounted, plain((*process).serveHealth)},
		{probe.LivePath, readMethods, forAll, listedPages, uncounted, plain((*process).serveLive)},
		{probe.LivePath + "/*", readMethods, forAll, listedPages, uncounted, plain((*process).serveLive)},
		{probe.ReadyPath, readMethods, forAll, listedPages, uncounted, plain((*process).serveReady)},
		{probe.ReadyPath + "/*", readMethods, forAll, listedPages, uncounted, plain((*process).serveReady)},
	}
	metricsRoutes = []route[*process]{
		{"/metrics", anyMethod, forAll, listedPages, uncounted, plain((*process).serveMetrics)},
	}
	// versionRoutes are served to clients and peers.
	versionRoutes = []route[*process]{
		{"/version", "GET", forAll, listedPages, uncounted, plain((*process).serveVersion)},
	}
	// descriptionRoutes are the description of all routes of the client URLs. They exist only with Config.Description.
	descriptionRoutes = []route[*process]{
		{"/openapi.json", readMethods, forAll, listedPages, uncounted, plain((*process).serveDescription)},
	}
	// profileRoutes are Go's profiles of the process.
	profileRoutes = []route[*process]{
		{"/debug/pprof/*", anyMethod, forRoot, noPages, uncounted, plain((*process).servePprof)},
	}
	// pageRoutes are the page for people. They exist only with Config.UI.
	pageRoutes = []route[*process]{
		{"/ui", readMethods, forAll, noPages, uncounted, plain((*process).serveUI)},
		{"/ui/*", readMethods, forAll, noPages, uncounted, plain((*process).serveUI)},
	}
	// clientRoutes need the data of a member.
	clientRoutes = []route[*v2.API]{
		{v2.KeysPath, "HEAD,GET,PUT,POST,DELETE", forRoles, listedPages, stats.OpOther, (*v2.API).Keys},
		{v2.TxnPath, "POST", forRoles, listedPages, stats.OpTxn, (*v2.API).Txn},
		{"/v2/machines", "GET,HEAD", forAll, listedPages, stats.OpMembers, (*v2.API).Machines},
		{"/v2/members", memberMethods, forAllToRead, listedPages, stats.OpMembers, (*v2.API).Members},
		{"/v2/members/*", memberMethods, forAllToRead, listedPages, stats.OpMembers, (*v2.API).Members},
		{"/v2/auth/enable", "GET,PUT,DELETE", forAllToRead, listedPages, stats.OpAuth, (*v2.API).AuthEnable},
		{"/v2/auth/self", "GET", forSelf, listedPages, stats.OpAuth, (*v2.API).AuthSelf},
		{"/v2/auth/users", "GET", forRoot, listedPages, stats.OpAuth, (*v2.API).AuthUsers},
		{"/v2/auth/users/*", anyMethod, forRoot, listedPages, stats.OpAuth, (*v2.API).AuthUsers},
		{"/v2/auth/roles", "GET", forRoot, listedPages, stats.OpAuth, (*v2.API).AuthRoles},
		{"/v2/auth/roles/*", anyMethod, forRoot, listedPages, stats.OpAuth, (*v2.API).AuthRoles},
		{"/v2/stats/self", "GET", forAll, listedPages, stats.OpStats, (*v2.API).SelfStats},
		{"/v2/stats/store", "GET", forAll, listedPages, stats.OpStats, (*v2.API).StoreStats},
		{"/v2/stats/leader", "GET", forAll, listedPages, stats.OpStats, (*v2.API).LeaderStats},
		{"/v2/snapshot", "GET", forRoot, noPages, stats.OpOther, (*v2.API).Snapshot},
		{"/v2/mirror", "GET,POST", forRoot, noPages, stats.OpMirror, (*v2.API).Mirror},
		{"/v2/mirror/nodes", "GET", forRoot, noPages, stats.OpMirror, (*v2.API).MirrorNodes},
	}
	// gatewayRoutes are the JSON gateway of the v3 API. Package v3 routes the paths below and counts the requests. It refuses all methods but
	// POST.
	gatewayRoutes = []route[*v3.Server]{
		{"/v3/*", anyMethod, forRoles, listedPages, uncounted, plain(serveGateway)},
		{"/v3beta/*", anyMethod, forRoles, listedPages, uncounted, plain(serveGateway)},
		{"/v3alpha/*", anyMethod, forRoles, listedPages, uncounted, plain(serveGateway)},
	}
	// peerRoutes are served on the peer URLs, beside the routes of package raft. Starting members and proxies find a cluster by them.
	peerRoutes = []route[*v2.API]{
		{"/members", "GET", forAll, noPages, uncounted, plain((*v2.API).PeerMembers)},
	}
)

const (
	memberMethods = "GET,POST,DELETE,PUT"
	readMethods   = "GET,HEAD"
)

// raftAccess has the access of each route that package raft registers on the peer URLs.
var raftAccess = map[string]access{
	"/raft/stream":   forPeers,
	"/raft/snapshot": forPeers,
	"/raft/log":      forPeers,
	"/raft/leases":   forPeers,
}

// unreadablePaths are the paths whose responses no web page may read, whatever --cors allows. The responses are the whole state, the
// profiles of the process, the URLs of the etcd that the cluster follows, and the page for people, which uses the API of its own origin.
var unreadablePaths = slices.Concat(unreadableOf(clientRoutes), unreadableOf(profileRoutes), unreadableOf(pageRoutes))
