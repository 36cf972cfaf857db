package raft

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// compactionAt is a compaction that was due.
type compactionAt struct {
	at       time.Duration
	revision uint64
}

func (c compactionAt) String() string { return fmt.Sprintf("%v:%d", c.at, c.revision) }

// runAuto calls an automatic compaction for a time, as the core does with its ticks. The revision grows by one each minute, and begins
// with 1000. leads reports whether the member leads at a time.
func runAuto(auto autoCompaction, until, tick time.Duration, leads func(time.Duration) bool) (got []compactionAt) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	next := auto.interval()
	for now := tick; now <= until; now += tick {
		if now < next {
			continue
		}
		next = now + auto.interval()
		current := 1000 + uint64(now/time.Minute)
		if r := auto.due(start.Add(now), current, leads(now)); r != 0 && leads(now) {
			got = append(got, compactionAt{now, r})
		}
	}
	return got
}

func always(time.Duration) bool { return true }

func TestAutoCompaction(t *testing.T) {
	const minute, hour = time.Minute, time.Hour
	for _, c := range []struct {
		name  string
		cfg   Config
		until time.Duration
		leads func(time.Duration) bool
		want  []compactionAt
	}{
		{"none", Config{}, 0, always, nil},
		{"periodic, less than an hour", Config{HistoryPeriod: 30 * minute}, 100 * minute, always,
			[]compactionAt{{33 * minute, 1003}, {63 * minute, 1033}, {93 * minute, 1063}}},
		{"periodic, several hours", Config{HistoryPeriod: 10 * hour}, 13 * hour, always,
			[]compactionAt{{10*hour + 6*minute, 1006}, {11*hour + 6*minute, 1066}, {12*hour + 6*minute, 1126}}},
		{"periodic, a leader of later", Config{HistoryPeriod: 2 * hour}, 300 * minute, func(d time.Duration) bool { return d > 3*hour },
			[]compactionAt{{186 * minute, 1066}, {246 * minute, 1126}}},
		{"periodic, not leading for a while", Config{HistoryPeriod: hour}, 300 * minute,
			func(d time.Duration) bool { return d < 70*minute || d > 200*minute },
			[]compactionAt{{66 * minute, 1006}, {204 * minute, 1144}, {264 * minute, 1204}}},
		{"by revision", Config{HistoryRevisions: 1004}, 15 * minute, always,
			[]compactionAt{{5 * minute, 1}, {10 * minute, 6}, {15 * minute, 11}}},
		{"by revision, more than there are", Config{HistoryRevisions: 2000}, 15 * minute, always, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			auto := newAutoCompaction(&c.cfg)
			if auto == nil {
				if c.want != nil || c.until != 0 {
					t.Error("there is no automatic compaction")
				}
				return
			}
			if got := runAuto(auto, c.until, time.Second, c.leads); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestPeriodicCompactionLateTicks has ticks that come late. They must not make the pauses between two compactions longer and longer.
func TestPeriodicCompactionLateTicks(t *testing.T) {
	auto := newAutoCompaction(&Config{HistoryPeriod: time.Hour})
	got := runAuto(auto, 24*time.Hour, 7*time.Second, always)
	if len(got) < 22 {
		t.Errorf("%d compactions in a day: %v", len(got), got)
	}
	for _, c := range got {
		age := c.at - time.Duration(c.revision-1000)*time.Minute
		if age < time.Hour || age > time.Hour+10*time.Minute {
			t.Errorf("the compaction at %v keeps the history of %v", c.at, age)
		}
	}
}

// TestPeriodicCompactionWithoutChanges has a revision that stays the same. The compactor must keep few samples.
func TestPeriodicCompactionWithoutChanges(t *testing.T) {
	p := &periodicCompaction{period: 1000 * time.Hour}
	for i := range 100_000 {
		p.due(time.Unix(0, 0).Add(time.Duration(i)*time.Minute), 7, false)
	}
	if len(p.past) != 1 {
		t.Errorf("%d samples", len(p.past))
	}
}
