package stats

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Op is the operation of a request: the label operation.
type Op uint8

// The operations. Those on keys are the actions of the API.
const (
	OpOther            Op = iota // none of the others
	OpGet                        // a file, from this member
	OpList                       // a directory, from this member
	OpQuorumGet                  // either, after asking a quorum
	OpWatch                      // a long poll or a continuous watch; its duration includes the waiting
	OpSet                        // PUT without conditions
	OpCreate                     // PUT with prevExist=false
	OpUpdate                     // PUT with prevExist=true
	OpRefresh                    // PUT with refresh=true
	OpCreateInOrder              // POST
	OpCompareAndSwap             // PUT with a condition
	OpDelete                     // DELETE without conditions
	OpCompareAndDelete           // DELETE with a condition
	OpMembers                    // /v2/members and /v2/machines
	OpStats                      // /v2/stats
	OpAuth                       // /v2/auth
	OpMirror                     // /v2/mirror
	OpTxn                        // /v2/txn
	opCount
)

var opNames = [opCount]string{
	OpOther:            "other",
	OpGet:              "get",
	OpList:             "list",
	OpQuorumGet:        "quorum_get",
	OpWatch:            "watch",
	OpSet:              "set",
	OpCreate:           "create",
	OpUpdate:           "update",
	OpRefresh:          "refresh",
	OpCreateInOrder:    "create_in_order",
	OpCompareAndSwap:   "compare_and_swap",
	OpDelete:           "delete",
	OpCompareAndDelete: "compare_and_delete",
	OpMembers:          "members",
	OpStats:            "stats",
	OpAuth:             "auth",
	OpMirror:           "mirror",
	OpTxn:              "txn",
}

// String returns the value of the label.
func (o Op) String() string { return opNames[o.known()] }

// known returns OpOther for an unknown value.
func (o Op) known() Op {
	if o >= opCount {
		return OpOther
	}
	return o
}

// Outcome is how a request ended: the label outcome.
type Outcome uint8

// The outcomes. Two causes that an operator treats alike have one outcome.
const (
	Internal      Outcome = iota // a fault of the server
	OK                           // success
	NotFound                     // no such key or member
	CompareFailed                // the condition did not hold
	Exists                       // a node that must not exist does
	WrongKind                    // a directory for a file, a file for a directory, not empty, read-only
	BadRequest                   // the request is malformed
	TooLarge                     // the request is over the limit
	OverQuota                    // the tree has reached its quota
	Unauthorized                 // credentials are missing or insufficient
	IndexCleared                 // the history no longer has the index
	Timeout                      // no quorum answered in time
	Unavailable                  // no leader, or the server is stopping
	Canceled                     // the client went away
	outcomeCount
)

var outcomeNames = [outcomeCount]string{
	Internal:      "internal",
	OK:            "ok",
	NotFound:      "not_found",
	CompareFailed: "compare_failed",
	Exists:        "exists",
	WrongKind:     "wrong_kind",
	BadRequest:    "bad_request",
	TooLarge:      "too_large",
	OverQuota:     "over_quota",
	Unauthorized:  "unauthorized",
	IndexCleared:  "index_cleared",
	Timeout:       "timeout",
	Unavailable:   "unavailable",
	Canceled:      "canceled",
}

// String returns the value of the label.
func (o Outcome) String() string { return outcomeNames[o.known()] }

// known returns Internal for an unknown value.
func (o Outcome) known() Outcome {
	if o >= outcomeCount {
		return Internal
	}
	return o
}

// requestBuckets run from 50 µs, a get from memory, to 10 s, a lost quorum.
var requestBuckets = []float64{
	50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 0.1, 0.2, 0.5, 1, 2, 5, 10,
}

// requests are the metrics of client requests. Every combination of operation and outcome exists from the start, at 0,
// because rate() does not count the event with which a series appears. The durations have only the operation as a label: with
// the outcomes, they would add four thousand lines to each scrape.
type requests struct {
	total    [opCount][outcomeCount]prometheus.Counter
	duration [opCount]prometheus.Observer
}

func (r *requests) init(reg prometheus.Registerer) {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "pando_requests_total",
		Help: "Client requests answered, by operation and outcome.",
	}, []string{"operation", "outcome"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "pando_request_duration_seconds",
		Help:    "Time from the header of a client request to the end of its response, by operation. A watch includes its waiting.",
		Buckets: requestBuckets,
	}, []string{"operation"})
	reg.MustRegister(total, duration)
	for op := range opCount {
		r.duration[op] = duration.WithLabelValues(op.String())
		for outcome := range outcomeCount {
			r.total[op][outcome] = total.WithLabelValues(op.String(), outcome.String())
		}
	}
}

func (r *requests) observe(op Op, outcome Outcome, took time.Duration) {
	op, outcome = op.known(), outcome.known()
	r.total[op][outcome].Inc()
	r.duration[op].Observe(took.Seconds())
}
