package raft

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pando/members"
	"pando/tree"
)

// auditRecorder collects the audit reports of one member.
type auditRecorder struct {
	mu      sync.Mutex
	reports []AuditReport
}

func (a *auditRecorder) audited(r AuditReport) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reports = append(a.reports, r)
}

func (a *auditRecorder) all() []AuditReport {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.reports)
}

// last returns the last report, and the number of reports.
func (a *auditRecorder) last() (AuditReport, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.reports) == 0 {
		return AuditReport{}, 0
	}
	return a.reports[len(a.reports)-1], len(a.reports)
}

// auditRecorders are the recorders of the members of a cluster. The zero value is ready to use.
type auditRecorders struct {
	mu sync.Mutex
	by map[members.ID]*auditRecorder
}

// auditInterval is the time between two rounds. A round must end before the next one begins, also if each sync of the disk is slow.
const auditInterval = 10 * clusterTick

// tune makes a member begin an audit at each auditInterval and record the reports.
func (a *auditRecorders) tune(cfg *Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = map[members.ID]*auditRecorder{}
	}
	recorder := &auditRecorder{}
	a.by[members.ID(cfg.Recovered.Identity.MemberID)] = recorder
	cfg.Observer, cfg.AuditInterval = Observer{Audited: recorder.audited}, auditInterval
}

// of returns the recorder of a member.
func (a *auditRecorders) of(r *replica) *auditRecorder {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.by[r.id]
}

// newAuditedCluster starts a cluster that begins an audit at each auditInterval.
func newAuditedCluster(t *testing.T, size int) (*cluster, func(*replica) *auditRecorder) {
	var recorders auditRecorders
	return newCluster(t, size, recorders.tune), recorders.of
}

// corrupt changes the tree of one member without the log.
func (r *replica) corrupt(path, value string) {
	r.c.t.Helper()
	done := make(chan struct{})
	r.node().inbox.post(func(c *core) {
		c.tree.Apply(1, []tree.Command{{Op: tree.OpSet, Path: path, Value: value}})
		c.tree.Announce()
		close(done)
	})
	<-done
}

func TestConsistencyCheck(t *testing.T) {
	t.Parallel()
	t.Run("reports no difference between equal members", func(t *testing.T) {
		c, recorderOf := newAuditedCluster(t, 3)
		for i := range 200 {
			c.members[i%3].set(fmt.Sprintf("/dir%d/key%d", i%5, i), "v")
		}
		for _, r := range c.members {
			_, before := recorderOf(r).last()
			c.await("three more rounds of all members", func() bool {
				report, n := recorderOf(r).last()
				return n >= before+3 && report.Members == 3
			})
			for _, report := range recorderOf(r).all() {
				if len(report.Differences) > 0 {
					t.Errorf("member %d: %+v", r.id, report)
				}
			}
		}
	})
	t.Run("names the member and the key that differ", func(t *testing.T) {
		c, recorderOf := newAuditedCluster(t, 3)
		for i := range 60 {
			c.leader().set(fmt.Sprintf("/dir%d/marker", i), "v")
		}
		c.settle()
		bad := c.follower()
		bad.corrupt("/dir17/marker", "rotten")
		for _, r := range c.members {
			var report AuditReport
			c.await("the report to name the key", func() bool {
				report, _ = recorderOf(r).last()
				return slices.ContainsFunc(report.Differences, func(d Difference) bool {
					return d.Low == "/dir17/marker" && slices.Equal(d.Members, []members.ID{bad.id}) && len(d.Hashes) == 3
				})
			})
			if last := report.Differences[len(report.Differences)-1]; !last.State {
				t.Errorf("the index is not reported: %+v", report)
			}
		}
	})
}

// TestConsistencyRounds checks when rounds of the audit take place, and when they do not.
func TestConsistencyRounds(t *testing.T) {
	t.Parallel()
	t.Run("continues under the next leader", func(t *testing.T) {
		c, recorderOf := newAuditedCluster(t, 3)
		c.leader().set("/a", "1")
		c.leader().kill()
		c.leader().set("/b", "1")
		for _, r := range c.running() {
			_, before := recorderOf(r).last()
			c.await("a round of two", func() bool {
				report, n := recorderOf(r).last()
				return n > before+1 && report.Members == 2 && len(report.Differences) == 0 && len(report.Missing) == 1
			})
		}
	})
	t.Run("a restart does not repeat old rounds", func(t *testing.T) {
		c, recorderOf := newAuditedCluster(t, 3)
		r := c.follower()
		c.await("a round", func() bool { _, n := recorderOf(r).last(); return n > 2 })
		first := r.node().Status().Applied
		r.kill()
		r.restart()
		c.await("another round", func() bool { _, n := recorderOf(r).last(); return n > 0 })
		for _, report := range recorderOf(r).all() {
			if report.Index <= first {
				t.Errorf("reported entry %d again, it was at %d before", report.Index, first)
			}
		}
	})
	t.Run("alone there is nothing to compare", func(t *testing.T) {
		c, recorderOf := newAuditedCluster(t, 1)
		ticks := time.NewTicker(2 * auditInterval)
		defer ticks.Stop()
		var before uint64
		// The entry with its name may follow. After it, the log must not grow.
		c.await("the log to grow no more", func() bool {
			<-ticks.C
			last := before
			before = c.members[0].node().Status().Committed
			return before == last
		})
		if len(recorderOf(c.members[0]).all()) > 0 {
			t.Error("a member that is alone has made an audit")
		}
	})
}

func TestDecodeAudit(t *testing.T) {
	data, err := encodeAudit(kindAuditResult, auditResult{Round: 7, Member: 9, State: 1 << 63, Ranges: []uint64{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	var r auditResult
	if known, err := decodeAudit(data, &r); !known || err != nil || r.Round != 7 || r.Member != 9 || r.State != 1<<63 || len(r.Ranges) != 2 {
		t.Errorf("got %+v, %v, %v", r, known, err)
	}
	data[1] = auditVersion + 1
	if known, err := decodeAudit(data, &r); known || err != nil {
		t.Errorf("a later version: %v, %v", known, err)
	}
	if _, err := decodeAudit([]byte{kindAudit, auditVersion, '{'}, &r); err == nil {
		t.Error("half an entry was read")
	}
}

func TestOutvoted(t *testing.T) {
	for name, c := range map[string]struct {
		hashes map[members.ID]uint64
		want   []members.ID
	}{
		"all the same":  {map[members.ID]uint64{1: 5, 2: 5, 3: 5}, nil},
		"one of three":  {map[members.ID]uint64{1: 5, 2: 6, 3: 5}, []members.ID{2}},
		"one of two":    {map[members.ID]uint64{1: 5, 2: 6}, []members.ID{1, 2}},
		"two of four":   {map[members.ID]uint64{1: 5, 2: 6, 3: 5, 4: 6}, []members.ID{1, 2, 3, 4}},
		"two of five":   {map[members.ID]uint64{1: 5, 2: 6, 3: 5, 4: 7, 5: 5}, []members.ID{2, 4}},
		"all different": {map[members.ID]uint64{1: 5, 2: 6, 3: 7}, []members.ID{1, 2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := outvoted(c.hashes); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
