package v2

import (
	"context"
	"time"

	"go.uber.org/zap"

	"pando/httpapi/budget"
	"pando/httpapi/service"
	"pando/httpapi/stream"
)

// KeysPath is the URL path of the tree's root.
const KeysPath = "/v2/keys"

// TxnPath is the URL path of transactions.
const TxnPath = "/v2/txn"

// Config contains the parameters of an API. All fields must be set.
type Config struct {
	Service *service.Service
	// Streams sends the events of watches.
	Streams *stream.Dispatcher
	// Source gets the requests that must be forwarded to the etcd that the cluster follows.
	Source Source
	// SourceTimeout bounds how long Source may take until the header of its response has arrived.
	SourceTimeout time.Duration
	// Budget bounds the bytes of large requests and responses in memory.
	Budget *budget.Bytes
	// Requests counts the requests in flight, Watches the open watches. The API calls Watches.Begin, and stream.Config.Ended must call
	// Watches.End.
	Requests, Watches *budget.Count
	// MaxRequestBytes bounds the body of a request. An escaped byte of a form counts as one byte. With 0 the limit is that of
	// the reference.
	MaxRequestBytes int64
	// BodyTimeout bounds how long a client may take to send a body.
	BodyTimeout time.Duration
	// StallTimeout bounds how long a response waits for a part of the Budget.
	StallTimeout time.Duration
	Logger       *zap.Logger
	// Now is the wall clock.
	Now func() time.Time
}

// API has the handlers of the v2 API.
type API struct {
	Config
	clusterID []string // the value of X-Etcd-Cluster-Id; all responses share it
	via       string   // names this member in the header Via of forwarded requests
}

// New makes an API.
func New(cfg Config) *API {
	return &API{
		Config: cfg, clusterID: []string{cfg.Service.ClusterID().String()}, via: "1.1 pando-member-" + cfg.Service.Self().String(),
	}
}

// detached is the context of operations on keys. They don't end when the client goes away: the log itself bounds their time, and a
// proposed command can't be withdrawn.
var detached = context.Background()

// timeFor returns the current time if the form has a TTL, and otherwise the zero time, so that reads don't pay for reading the clock.
func (a *API) timeFor(f *form) time.Time {
	if f.given.has(fieldTTL) {
		return a.Now()
	}
	return time.Time{}
}
