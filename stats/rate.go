package stats

import "time"

const (
	// windowSize is the number of requests from which a rate is computed.
	windowSize = 200
	// idleAfter is the time after the last request from which on the rate is zero.
	idleAfter = time.Second
)

// window is a ring of the last requests. Callers must not call its methods concurrently.
//
// After a pause longer than idleAfter the window starts again without samples: the rate of a burst after a quiet hour is that
// of the burst, not an average over the hour. Reading the rate does not change the window.
type window struct {
	samples [windowSize]sample
	first   int // index of the oldest sample
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

// rates returns the requests and the bytes per second. They are zero if the last request is older than idleAfter, and if all
// requests have the same time.
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
