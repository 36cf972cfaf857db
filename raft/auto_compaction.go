package raft

import "time"

// autoCompaction decides when the history of the v3 API is compacted, and to which revision. Its modes are those of etcd. All members have
// one, so that a new leader continues where the last one has ended.
type autoCompaction interface {
	// interval is the time between two calls of due.
	interval() time.Duration
	// due returns the revision to which the history has to be compacted at a time, or zero. current is the current revision. leads says
	// that the caller will propose the compaction.
	due(now time.Time, current uint64, leads bool) uint64
}

// newAutoCompaction returns nil if the configuration has no automatic compaction.
func newAutoCompaction(cfg *Config) autoCompaction {
	switch {
	case cfg.HistoryPeriod > 0:
		return &periodicCompaction{period: cfg.HistoryPeriod}
	case cfg.HistoryRevisions > 0:
		return &revisionCompaction{keep: cfg.HistoryRevisions}
	}
	return nil
}

// periodicCompaction keeps the history of the last period. A compaction is due once in each period, and at least once an hour. The first is
// due when the member has run for a period.
type periodicCompaction struct {
	period time.Duration
	last   time.Time        // when a compaction was due; zero before the first
	past   []revisionSample // in ascending order; all but the first are younger than period
}

// revisionSample is the current revision at a time. It was the current one until the next sample.
type revisionSample struct {
	at       time.Time
	revision uint64
}

// samplesPerPause is the number of samples between two compactions.
const samplesPerPause = 10

// pause is the time between two compactions.
func (p *periodicCompaction) pause() time.Duration { return min(p.period, time.Hour) }

func (p *periodicCompaction) interval() time.Duration { return p.pause() / samplesPerPause }

func (p *periodicCompaction) due(now time.Time, current uint64, leads bool) uint64 {
	if n := len(p.past); n == 0 || p.past[n-1].revision != current {
		p.past = append(p.past, revisionSample{now, current})
	}
	start := now.Add(-p.period)
	for len(p.past) > 1 && !p.past[1].at.After(start) {
		p.past = p.past[1:]
	}
	// Calls come late by up to a tick. Half an interval keeps this from delaying a compaction by a whole interval.
	early := now.Sub(p.last) < p.pause()-p.interval()/2
	if p.past[0].at.After(start) || early || !leads {
		return 0
	}
	p.last = now
	return p.past[0].revision
}

// revisionCompaction keeps the last revisions. A compaction is due every five minutes.
type revisionCompaction struct{ keep uint64 }

func (r *revisionCompaction) interval() time.Duration { return 5 * time.Minute }

func (r *revisionCompaction) due(_ time.Time, current uint64, _ bool) uint64 {
	return current - min(current, r.keep)
}
