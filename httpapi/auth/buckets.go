package auth

import (
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxKey is the length in bytes to which keys are cut. Clients choose user names, and buckets must not keep long ones in memory.
const maxKey = 128

// maxBuckets is the largest number of buckets in a generation.
const maxBuckets = 8 << 10

// buckets are token buckets by key, which is a user name or an address. A key without a bucket has all its tokens. There are two
// generations of buckets, so that their number is bounded. When the young generation has maxBuckets, or is older than the time in which
// an empty bucket becomes full, it becomes the old generation, and the previous old generation is dropped.
type buckets struct {
	limit rate.Limit
	burst int

	mu         sync.Mutex
	young, old map[string]*rate.Limiter
	since      time.Time // when young began
}

func newBuckets(limit rate.Limit, burst int) *buckets {
	return &buckets{limit: limit, burst: burst, young: map[string]*rate.Limiter{}}
}

// tokens returns the number of tokens of a key.
func (b *buckets) tokens(key string, now time.Time) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.find(cutKey(key)); l != nil {
		return l.TokensAt(now)
	}
	return float64(b.burst)
}

// take takes a token of a key, if the key has one, and moves its bucket to the young generation.
func (b *buckets) take(key string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key = strings.Clone(cutKey(key))
	l := b.find(key)
	if l == nil {
		l = rate.NewLimiter(b.limit, b.burst)
	}
	l.AllowN(now, 1)
	refillTime := time.Duration(float64(b.burst) / float64(b.limit) * float64(time.Second))
	if len(b.young) >= maxBuckets || now.Sub(b.since) > refillTime {
		b.old, b.young, b.since = b.young, map[string]*rate.Limiter{}, now
	}
	b.young[key] = l
}

// find returns the bucket of a key, or nil. Callers must hold mu.
func (b *buckets) find(key string) *rate.Limiter {
	if l, ok := b.young[key]; ok {
		return l
	}
	return b.old[key]
}

func cutKey(key string) string { return key[:min(len(key), maxKey)] }
