package auth

import (
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxKey is the number of bytes of a key that count. Clients choose user names, and a bucket must not hold long ones.
const maxKey = 128

// maxBuckets bounds the number of keys that each generation of buckets has.
const maxBuckets = 8 << 10

// buckets are token buckets by key: user names or addresses. A key without a bucket has all its tokens. The number of buckets is
// bounded: they are kept in two generations. When the new generation is full, or old enough for all its buckets to be full again, it
// becomes the old one, and the previous old one is dropped.
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

// take takes a token of a key, if it has one.
func (b *buckets) take(key string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key = strings.Clone(cutKey(key))
	l := b.find(key)
	if l == nil {
		l = rate.NewLimiter(b.limit, b.burst)
	}
	l.AllowN(now, 1)
	refilled := time.Duration(float64(b.burst) / float64(b.limit) * float64(time.Second))
	if len(b.young) >= maxBuckets || now.Sub(b.since) > refilled {
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
