package top

import (
	"cmp"
	"strings"
	"time"
)

// Report is what top shows. As JSON it is a line of "top -o json". A field is absent if the members don't report it.
type Report struct {
	Time         time.Time `json:"time"`
	Up           int       `json:"up"`               // members that respond
	Leader       string    `json:"leader,omitempty"` // its name, or its ID
	Term         uint64    `json:"raftTerm,omitempty"`
	Index        uint64    `json:"index,omitempty"` // the largest index of the store
	Members      []Member  `json:"members"`
	EventRate    float64   `json:"eventsPerSecond"` // of keys that are not hidden
	Subtrees     []Subtree `json:"subtrees"`
	EventSeconds float64   `json:"eventSeconds"`         // the time in which events were counted
	EventError   string    `json:"eventError,omitempty"` // why no events are counted
}

// The roles of members.
const (
	roleLeader   = "leader"
	roleFollower = "follower"
	roleDown     = "down" // it does not respond
)

// Member is one member in a Report. Rates are per second, between two samples.
type Member struct {
	ID          string   `json:"id,omitempty"`
	Name        string   `json:"name,omitempty"`
	Endpoint    string   `json:"endpoint,omitempty"`
	Role        string   `json:"role"`
	Healthy     bool     `json:"healthy"`
	Version     string   `json:"version,omitempty"`
	Reads       *float64 `json:"readsPerSecond,omitempty"`
	Writes      *float64 `json:"writesPerSecond,omitempty"` // Pando: sent to this member; etcd: applied by it
	ReadP99     *float64 `json:"readP99Millis,omitempty"`
	WriteP99    *float64 `json:"writeP99Millis,omitempty"`
	Lag         *uint64  `json:"lag,omitempty"` // log entries behind the member that has most
	Watchers    *uint64  `json:"watchers,omitempty"`
	Connections *uint64  `json:"connections,omitempty"`
	Nodes       *uint64  `json:"nodes,omitempty"`
	Bytes       *uint64  `json:"bytes,omitempty"`
	PingMillis  float64  `json:"pingMillis,omitempty"`
	Error       string   `json:"error,omitempty"`
}

var (
	readOperations  = []string{"get", "list", "quorum_get"}
	writeOperations = []string{
		"set", "create", "update", "refresh", "create_in_order", "compare_and_swap", "delete", "compare_and_delete", "txn",
	}
	readCounters  = []string{"getsSuccess", "getsFail"} // of /v2/stats/store
	writeCounters = []string{
		"setsSuccess", "setsFail", "deleteSuccess", "deleteFail", "updateSuccess", "updateFail", "createSuccess", "createFail",
		"compareAndSwapSuccess", "compareAndSwapFail", "compareAndDeleteSuccess", "compareAndDeleteFail",
	}
)

// NewReport returns what has happened between two samples. before is nil for the first one.
func NewReport(before, after *Sample) *Report {
	r := &Report{Time: after.Time, Subtrees: []Subtree{}, Members: []Member{}}
	var largest uint64 // raft index
	for _, m := range after.Members {
		largest = max(largest, m.RaftIndex)
		r.Index, r.Term = max(r.Index, m.Index), max(r.Term, m.Term)
		if m.Responds() {
			r.Up++
		}
	}
	for _, m := range after.Members {
		one := m.report(before.find(m), after.Time)
		if m.RaftIndex > 0 {
			lag := largest - m.RaftIndex
			one.Lag = &lag
		}
		if one.Role == roleLeader {
			r.Leader = one.name()
		}
		r.Members = append(r.Members, one)
	}
	return r
}

// name returns the name of a member, or what else identifies it.
func (m *Member) name() string { return cmp.Or(m.Name, m.ID, m.Endpoint) }

// earlier is a member in the sample before.
type earlier struct {
	*MemberSample
	time time.Time
}

// find returns the same member in a sample. It is nil if the sample is nil, or does not have it.
func (s *Sample) find(m *MemberSample) *earlier {
	if s == nil {
		return nil
	}
	for _, other := range s.Members {
		if other.Endpoint == m.Endpoint && other.ID == m.ID && other.Responds() {
			return &earlier{other, s.Time}
		}
	}
	return nil
}

// report returns the member as a Report shows it, without its lag.
func (m *MemberSample) report(before *earlier, now time.Time) Member {
	one := Member{
		ID: m.ID, Name: m.Name, Endpoint: m.Endpoint, Role: roleFollower, Healthy: m.Healthy, Version: m.Version, Nodes: m.Nodes, Bytes: m.Bytes,
		PingMillis: m.LatencyMS, Error: strings.Join(strings.Fields(m.Error), " "),
	}
	switch {
	case !m.Responds():
		one.Role = roleDown
	case m.Leader:
		one.Role = roleLeader
	}
	one.Watchers, one.Connections = m.gauge("pando_watchers"), m.gauge(`pando_connections{listener="client"}`)
	if watchers, ok := m.Store["watchers"]; ok {
		n := uint64(watchers)
		one.Watchers = &n
	}
	if before == nil {
		return one
	}
	seconds := now.Sub(before.time).Seconds()
	if m.Metrics != nil && before.Metrics != nil {
		one.Reads = rate(before.requests(readOperations), m.requests(readOperations), seconds)
		one.Writes = rate(before.requests(writeOperations), m.requests(writeOperations), seconds)
		one.ReadP99 = millis(quantile(durations(before.Metrics, m.Metrics, readOperations), 0.99))
		one.WriteP99 = millis(quantile(durations(before.Metrics, m.Metrics, writeOperations), 0.99))
	}
	if m.Store != nil && before.Store != nil {
		one.Reads = rate(sum(before.Store, readCounters), sum(m.Store, readCounters), seconds)
		one.Writes = rate(sum(before.Store, writeCounters), sum(m.Store, writeCounters), seconds)
	}
	return one
}

// gauge returns a metric of Pando, or nil.
func (m *MemberSample) gauge(name string) *uint64 {
	value, ok := m.Metrics[name]
	if !ok {
		return nil
	}
	n := uint64(value)
	return &n
}

// requests returns the number of requests with some operations.
func (m *MemberSample) requests(operations []string) float64 {
	total := 0.0
	for _, operation := range operations {
		total += m.Metrics[`pando_request_duration_seconds_count{operation="`+operation+`"}`]
	}
	return total
}

func sum(counters map[string]float64, names []string) float64 {
	total := 0.0
	for _, name := range names {
		total += counters[name]
	}
	return total
}

// rate returns how much a counter has grown in a second. It is nil if the counter began anew: the member was restarted.
func rate(before, after, seconds float64) *float64 {
	if after < before || seconds <= 0 {
		return nil
	}
	r := (after - before) / seconds
	return &r
}

func millis(seconds *float64) *float64 {
	if seconds == nil {
		return nil
	}
	ms := *seconds * 1000
	return &ms
}

// AddHeat sets what a Heat has counted.
func (r *Report) AddHeat(h *Heat) {
	r.Subtrees, r.EventRate, r.EventSeconds, r.EventError = h.top(r.Time)
}
