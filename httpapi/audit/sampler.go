package audit

import (
	"hash/maphash"
	"net"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// A client can repeat a failed login at any rate. So for each pair of name and address sampleBurst records are written, and then
// samplesPerSecond.
const (
	samplesPerSecond = 1
	sampleBurst      = 10
	sampleBuckets    = 1024
)

// Sampler selects some of the records of failed logins. Names and addresses share a fixed number of buckets, so the size of a Sampler
// does not depend on their number. Its methods may be called from any goroutine.
type Sampler struct {
	seed    maphash.Seed
	buckets [sampleBuckets]sampleBucket
}

type sampleBucket struct {
	limiter *rate.Limiter
	omitted atomic.Uint64 // records since the last one that was selected
}

// NewSampler makes a Sampler.
func NewSampler() *Sampler {
	s := &Sampler{seed: maphash.MakeSeed()}
	for i := range s.buckets {
		s.buckets[i].limiter = rate.NewLimiter(samplesPerSecond, sampleBurst)
	}
	return s
}

// Select reports whether the record of a failed login must be written, and how many records of its bucket were omitted before it. name
// is the name that the client claims, and remote is its address. The port of the address is ignored.
func (s *Sampler) Select(name, remote string) (selected bool, omitted uint64) {
	b := s.bucket(name, remote)
	if !b.limiter.Allow() {
		b.omitted.Add(1)
		return false, 0
	}
	return true, b.omitted.Swap(0)
}

func (s *Sampler) bucket(name, remote string) *sampleBucket {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		remote = host
	}
	return &s.buckets[maphash.Comparable(s.seed, [2]string{name, remote})%sampleBuckets]
}
