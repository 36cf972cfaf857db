package audit

import (
	"sync/atomic"

	"golang.org/x/time/rate"
)

// The records of login attempts that were refused without a check of the password: an attacker can make as many as the network
// carries.
const (
	samplesPerSecond = 1
	sampleBurst      = 10
)

// Sampler selects some of many similar records. Its methods may be called from any goroutine.
type Sampler struct {
	limiter *rate.Limiter
	omitted atomic.Uint64
}

// NewSampler makes a Sampler.
func NewSampler() *Sampler { return &Sampler{limiter: rate.NewLimiter(samplesPerSecond, sampleBurst)} }

// Select reports whether a record must be written, and the number of records since the last selected one that were not.
func (s *Sampler) Select() (selected bool, omitted uint64) {
	if !s.limiter.Allow() {
		s.omitted.Add(1)
		return false, 0
	}
	return true, s.omitted.Swap(0)
}
