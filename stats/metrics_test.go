package stats

import (
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
)

func newMetrics() *Metrics { return NewMetrics(Build{Version: "1.2.3", APIVersion: "3.4.23"}) }

// fullMetrics returns metrics that all exist and have different values.
func fullMetrics(t *testing.T) *Metrics {
	t.Helper()
	m := newMetrics()
	number := func(n uint64) func() uint64 { return func() uint64 { return n } }
	err := m.Register(Gauges{
		Watchers:      number(1),
		HistoryOldest: number(2),
		HistoryNewest: number(3),
		TreeNodes:     number(4),
		TreeBytes:     number(5),
		Leases:        number(10),
		RaftApplied:   number(6),
		RaftCommitted: number(7),
		RaftTerm:      number(8),
		RaftLogBytes:  number(9),
		IsLeader:      func() bool { return false },
		HasLeader:     func() bool { return true },

		CheckpointFailing: func() bool { return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Observe(OpGet, OK, 60*time.Microsecond)
	m.Observe(OpGet, OK, 3*time.Millisecond)
	m.Observe(OpCompareAndSwap, CompareFailed, time.Second)
	m.WALFsync(90 * time.Microsecond)
	m.Checkpoint(2*time.Second, 4096, 17)
	m.Checkpoint(2*time.Second, 4, 3)
	m.CheckpointFailed()
	m.Batch(64)
	m.Batch(1)
	for range 5 {
		m.ProposalStarted()
	}
	m.ProposalDone()
	m.ProposalFailed()
	m.ProposalFailed()
	m.LeaderChanged()
	m.HistoryCompacted()
	m.LeaseRenewed()
	m.LeasesExpired(12)
	return m
}

// scrape returns the body of the handler's response.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Fatalf("status %d, type %s", w.Code, w.Header().Get("Content-Type"))
	}
	return w.Body.String()
}

// fullScrape are lines of the answer to a scrape of fullMetrics.
var fullScrape = []string{
	`pando_build_info{go="` + runtime.Version() + `",version="1.2.3"} 1`,
	`pando_requests_total{operation="get",outcome="ok"} 2`,
	`pando_requests_total{operation="compare_and_swap",outcome="compare_failed"} 1`,
	`pando_request_duration_seconds_bucket{operation="get",le="5e-05"} 0`,
	`pando_request_duration_seconds_bucket{operation="get",le="0.0001"} 1`,
	`pando_request_duration_seconds_bucket{operation="get",le="0.005"} 2`,
	`pando_request_duration_seconds_bucket{operation="compare_and_swap",le="10"} 1`,
	`pando_request_duration_seconds_count{operation="get"} 2`,
	`pando_watchers 1`,
	`pando_history_oldest_index 2`,
	`pando_history_newest_index 3`,
	`pando_tree_nodes 4`,
	`pando_leases 10`,
	`pando_leases_renewed_total 1`,
	`pando_leases_expired_total 12`,
	`pando_tree_bytes 5`,
	`pando_raft_applied_index 6`,
	`pando_raft_committed_index 7`,
	`pando_raft_term 8`,
	`pando_raft_is_leader 0`,
	`pando_raft_has_leader 1`,
	`pando_wal_fsync_duration_seconds_bucket{le="0.0001"} 1`,
	`pando_wal_fsync_duration_seconds_bucket{le="5e-05"} 0`,
	`pando_checkpoint_duration_seconds_count 2`,
	`pando_checkpoint_written_bytes_total 4100`,
	`pando_checkpoint_written_nodes_total 20`,
	`pando_checkpoint_failures_total 1`,
	`pando_checkpoint_failing 1`,
	`pando_proposal_batch_commands_sum 65`,
	`pando_proposals_pending 2`,
	`pando_proposals_failed_total 2`,
	`pando_leader_changes_total 1`,
	`pando_history_compactions_total 1`,
	`# TYPE etcd_server_version gauge`,
	`etcd_server_version{server_version="3.4.23"} 1`,
	`# TYPE etcd_server_has_leader gauge`,
	`etcd_server_has_leader 1`,
	`# TYPE etcd_server_is_leader gauge`,
	`etcd_server_is_leader 0`,
	`# TYPE etcd_server_leader_changes_seen_total counter`,
	`etcd_server_leader_changes_seen_total 1`,
	`# TYPE etcd_server_proposals_applied_total gauge`,
	`etcd_server_proposals_applied_total 6`,
	`# TYPE etcd_server_proposals_committed_total gauge`,
	`etcd_server_proposals_committed_total 7`,
	`# TYPE etcd_server_proposals_failed_total counter`,
	`etcd_server_proposals_failed_total 2`,
	`# TYPE etcd_server_proposals_pending gauge`,
	`etcd_server_proposals_pending 2`,
	`# TYPE etcd_disk_wal_fsync_duration_seconds histogram`,
	`etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 1`,
	`etcd_disk_wal_fsync_duration_seconds_bucket{le="8.192"} 1`,
}

func TestMetricsScrape(t *testing.T) {
	body := scrape(t, fullMetrics(t))
	lines := make(map[string]bool)
	for l := range strings.SplitSeq(body, "\n") {
		lines[l] = true
	}
	for _, want := range fullScrape {
		if !lines[want] {
			t.Errorf("not in the answer: %s", want)
		}
	}
	for _, part := range []string{"go_goroutines ", "go_memstats_alloc_bytes ", "process_"} {
		if !strings.Contains(body, "\n"+part) {
			t.Errorf("no %s in the answer", part)
		}
	}
	if t.Failed() {
		t.Log(body)
	}
}

// TestMetricsFromTheStart checks that every series exists before its first event: rate() and increase() don't see the event with
// which a series appears.
func TestMetricsFromTheStart(t *testing.T) {
	series := func(m *Metrics) map[string]bool {
		all := map[string]bool{}
		for line := range strings.SplitSeq(scrape(t, m), "\n") {
			if name, _, ok := strings.Cut(line, " "); ok && (strings.HasPrefix(name, "pando_") || strings.HasPrefix(name, "etcd_")) {
				all[name] = true
			}
		}
		return all
	}
	before := series(newMetrics())
	m := newMetrics()
	for op := range opCount {
		for outcome := range outcomeCount {
			m.Observe(op, outcome, time.Second)
		}
	}
	m.WALFsync(time.Second)
	m.Checkpoint(time.Second, 1, 1)
	m.CheckpointFailed()
	m.Batch(1)
	m.ProposalStarted()
	m.ProposalFailed()
	m.LeaderChanged()
	m.HistoryCompacted()
	m.ConsistencyChecked(3, 0, 7, 1)
	m.ConsistencyHashed(time.Second)
	for name := range series(m) {
		if !before[name] {
			t.Errorf("%s appears with its first event", name)
		}
	}
	for _, part := range []string{"pando_watchers", "etcd_server_has_leader"} {
		if before[part] {
			t.Errorf("%s is in the answer of a member that is not open", part)
		}
	}
}

func TestMetricsPassTheLinter(t *testing.T) {
	families, err := fullMetrics(t).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var ours []*dto.MetricFamily
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "pando_") {
			ours = append(ours, f)
		}
	}
	if len(ours) < 20 {
		t.Fatalf("only %d metrics to look at", len(ours))
	}
	problems, err := promlint.NewWithMetricFamilies(ours).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetricsOfTwoMembersAreSeparate(t *testing.T) {
	a, b := fullMetrics(t), newMetrics()
	b.LeaderChanged()
	b.LeaderChanged()
	if body := scrape(t, a); !strings.Contains(body, "\npando_leader_changes_total 1\n") {
		t.Error("one member's count reached the other")
	}
}

func TestRegister(t *testing.T) {
	t.Run("nil functions leave their metrics out", func(t *testing.T) {
		m := newMetrics()
		if err := m.Register(Gauges{Watchers: func() uint64 { return 7 }}); err != nil {
			t.Fatal(err)
		}
		body := scrape(t, m)
		if !strings.Contains(body, "\npando_watchers 7\n") || strings.Contains(body, "pando_tree_nodes") {
			t.Error("want pando_watchers and no pando_tree_nodes in:\n" + body)
		}
	})
	t.Run("twice is an error", func(t *testing.T) {
		m := fullMetrics(t)
		err := m.Register(Gauges{Watchers: func() uint64 { return 7 }})
		if err == nil || !strings.Contains(err.Error(), "pando_watchers") {
			t.Errorf("got %v, want an error that names the metric", err)
		}
	})
}

func TestLabels(t *testing.T) {
	seen := make(map[string]bool)
	for op := range opCount {
		seen["operation "+op.String()] = true
	}
	for o := range outcomeCount {
		seen["outcome "+o.String()] = true
	}
	if want := int(opCount) + int(outcomeCount); len(seen) != want || seen["operation "] || seen["outcome "] {
		t.Errorf("%d different labels of %d, or an empty one: %v", len(seen), want, seen)
	}
	if Op(200).String() != "other" || Outcome(200).String() != "internal" {
		t.Errorf("unknown values are %q and %q", Op(200), Outcome(200))
	}
	m := newMetrics()
	m.Observe(Op(200), Outcome(200), time.Millisecond)
	if !strings.Contains(scrape(t, m), `pando_requests_total{operation="other",outcome="internal"} 1`) {
		t.Error("an unknown operation was not counted")
	}
}

func TestObserveFromManyGoroutines(t *testing.T) {
	m := newMetrics()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 1000 {
				m.Observe(Op(i)%opCount, Outcome(i)%outcomeCount, time.Millisecond)
				m.Observe(OpGet, OK, time.Millisecond)
			}
		})
	}
	wg.Wait()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var total float64
	for _, f := range families {
		if f.GetName() == "pando_requests_total" {
			for _, series := range f.GetMetric() {
				total += series.GetCounter().GetValue()
			}
		}
	}
	if total != 8000 {
		t.Errorf("counted %v requests, want 8000", total)
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	m := newMetrics()
	m.Observe(OpSet, OK, time.Millisecond) // the first one may allocate
	if n := testing.AllocsPerRun(1000, func() { m.Observe(OpSet, OK, time.Millisecond) }); n != 0 {
		t.Errorf("an observation allocates %v times", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	m := newMetrics()
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(OpSet, OK, 300*time.Microsecond)
	}
}

func BenchmarkObserveParallel(b *testing.B) {
	m := newMetrics()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Observe(OpSet, OK, 300*time.Microsecond)
		}
	})
}

func BenchmarkScrape(b *testing.B) {
	m := newMetrics()
	for i := range 100 {
		m.Observe(Op(i)%opCount, Outcome(i)%outcomeCount, time.Millisecond)
	}
	h, req := m.Handler(), httptest.NewRequest("GET", "/metrics", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), req)
	}
}
