// Package proxy passes the requests of clients on to the members of a cluster.
// The process that runs it is a member of nothing: it keeps no data but the
// peer URLs that it saw last, so that it finds the cluster again when the
// flags have grown old.
//
// The members' client URLs are learnt from /members on a peer URL and refreshed
// from time to time, and when one fails. The requests of one client host go to
// one member as long as that answers: followers apply writes a little later
// than the leader, and a client that was sent to another member for each
// request would miss its own writes. Different hosts, and different proxies,
// choose different members.
//
// A member that can't be reached gets no requests for a while. Then a read is
// tried on the next one; a write only when nothing of it was sent, for nobody
// could say otherwise whether it would happen twice.
//
// The handler may be called from any goroutine. Run is called once.
package proxy
