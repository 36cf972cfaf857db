package raft

import (
	"time"

	"pando/tree"
)

// inFlight holds the batches of this member that were proposed and have no outcome yet.
type inFlight struct {
	batches  map[uint64]inFlightBatch // by number
	blocking uint64                   // the batch that blocks the next one; zero when none does
}

// inFlightBatch is one batch with the callers that wait for it.
type inFlightBatch struct {
	proposals []*proposal // nil for a command of the member itself
	since     time.Time   // the start of the oldest proposal
}

func (f *inFlight) add(number uint64, b inFlightBatch) {
	f.batches[number] = b
	f.blocking = number
}

// blockedSince returns the start of the batch that blocks the next one. ok is false if none does.
func (f *inFlight) blockedSince() (since time.Time, ok bool) {
	b, ok := f.batches[f.blocking]
	return b.since, ok
}

// unblock allows the next batch although the last one has no outcome.
func (f *inFlight) unblock() { f.blocking = 0 }

func (f *inFlight) contains(number uint64) bool {
	_, ok := f.batches[number]
	return ok
}

// complete ends a batch all of whose proposals have the same outcome.
func (f *inFlight) complete(number uint64, o outcome) {
	b := f.batches[number]
	delete(f.batches, number)
	answerAll(b.proposals, o)
}

func (f *inFlight) completeAll(o outcome) {
	for number := range f.batches {
		f.complete(number, o)
	}
}

// applied ends a batch with the results of its commands. A batch with the same number and too few results is not the one
// that this member has proposed; it is ignored.
func (f *inFlight) applied(number uint64, results []tree.Result) {
	b, ok := f.batches[number]
	if !ok || len(b.proposals) > len(results) {
		return
	}
	delete(f.batches, number)
	for i, p := range b.proposals {
		p.done <- outcome{result: results[i]}
	}
}

// expire times out the batches that were begun before the given time. It returns the start of the oldest batch that is
// left, or zero.
func (f *inFlight) expire(before time.Time) (oldest time.Time) {
	for number, b := range f.batches {
		switch {
		case b.since.Before(before):
			f.complete(number, outcome{err: errTimeout})
		case oldest.IsZero() || b.since.Before(oldest):
			oldest = b.since
		}
	}
	return oldest
}

func answerAll(proposals []*proposal, o outcome) {
	for _, p := range proposals {
		p.done <- o
	}
}
