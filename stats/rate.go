package stats

import "time"

const (
	// windowSize is how many of the last requests a rate is taken over.
	windowSize = 200
	// idleAfter is how long after its last request a flow has no rate any more.
	idleAfter = time.Second
)

// window is a ring of the last requests of a flow. Its user locks it.
//
// A silence longer than idleAfter starts it anew: a burst after a quiet hour is
// shown at its own rate, not averaged over the hour, and whether somebody read
// the rate in between makes no difference.
type window struct {
	samples [windowSize]sample
	first   int // where the oldest sample is
	count   int
	bytes   int // of all samples
}

type sample struct {
	at   time.Time
	size int
}

// add records a request of size bytes.
func (w *window) add(now time.Time, size int) {
	if w.count > 0 && now.Sub(w.newest()) > idleAfter {
		w.first, w.count, w.bytes = 0, 0, 0
	}
	if w.count == windowSize {
		w.bytes -= w.samples[w.first].size
		w.first = (w.first + 1) % windowSize
		w.count--
	}
	w.samples[(w.first+w.count)%windowSize] = sample{at: now, size: size}
	w.count++
	w.bytes += size
}

// rates returns the requests and the bytes per second: zero for a flow that is
// idle, and for one that has just begun and spans no time yet.
func (w *window) rates(now time.Time) (requests, bytes float64) {
	if w.count == 0 || now.Sub(w.newest()) > idleAfter {
		return 0, 0
	}
	span := w.newest().Sub(w.samples[w.first].at).Seconds()
	if span <= 0 {
		return 0, 0
	}
	return float64(w.count) / span, float64(w.bytes) / span
}

func (w *window) newest() time.Time {
	return w.samples[(w.first+w.count-1)%windowSize].at
}
