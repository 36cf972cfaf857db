package stats

import (
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// Leader is what a leader says of its followers at /v2/stats/leader: how long
// append requests take and how many failed. A follower may keep one too, and
// answers 403 there instead of showing it.
type Leader struct {
	id uint64

	mu        sync.Mutex
	followers map[uint64]*follower
}

// follower has the running mean and variance of the durations, after Welford:
// no sum of squares that grows until its last digits are lost.
type follower struct {
	current, mean, squares, min, max float64 // milliseconds
	successes, failures              uint64
}

// leaderBody is the body: the names and their order are the API. Followers are
// sorted by their ID as text.
type leaderBody struct {
	Leader    string                  `json:"leader"`
	Followers map[string]followerBody `json:"followers"`
}

type followerBody struct {
	Latency latencyBody `json:"latency"`
	Counts  countsBody  `json:"counts"`
}

// latencyBody is in milliseconds.
type latencyBody struct {
	Current           float64 `json:"current"`
	Average           float64 `json:"average"`
	StandardDeviation float64 `json:"standardDeviation"`
	Minimum           float64 `json:"minimum"`
	Maximum           float64 `json:"maximum"`
}

type countsBody struct {
	Fail    uint64 `json:"fail"`
	Success uint64 `json:"success"`
}

// NewLeader returns the statistics of the member with this ID, for the time
// that it leads.
func NewLeader(id uint64) *Leader {
	return &Leader{id: id, followers: make(map[uint64]*follower)}
}

// Add lists a follower, before anything was sent to it. Adding it again changes
// nothing.
func (l *Leader) Add(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.follower(id)
}

// Retain forgets the followers that are not among these members: they have left the
// cluster.
func (l *Leader) Retain(ids []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.followers, func(id uint64, _ *follower) bool { return !slices.Contains(ids, id) })
}

// Success counts an append request that reached the follower, and how long it
// took. A follower that was not added is.
func (l *Leader) Success(id uint64, took time.Duration) {
	ms := float64(took) / float64(time.Millisecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.follower(id)
	f.successes++
	f.current = ms
	f.min, f.max = min(f.min, ms), max(f.max, ms)
	delta := ms - f.mean
	f.mean += delta / float64(f.successes)
	f.squares += delta * (ms - f.mean)
}

// Fail counts an append request that did not reach the follower. A follower that
// was not added is.
func (l *Leader) Fail(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.follower(id).failures++
}

// follower finds or adds one. The caller holds the lock.
func (l *Leader) follower(id uint64) *follower {
	f, ok := l.followers[id]
	if !ok {
		// With no sample the API shows the largest integer as the minimum.
		f = &follower{min: math.MaxInt64}
		l.followers[id] = f
	}
	return f
}

// JSON returns the body of /v2/stats/leader, without a newline. The caller owns
// it.
func (l *Leader) JSON() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := leaderBody{Leader: hexID(l.id), Followers: make(map[string]followerBody, len(l.followers))}
	for id, f := range l.followers {
		b.Followers[hexID(id)] = f.body()
	}
	return encode(b)
}

func (f *follower) body() followerBody {
	b := followerBody{
		Latency: latencyBody{Current: f.current, Average: f.mean, Minimum: f.min, Maximum: f.max},
		Counts:  countsBody{Fail: f.failures, Success: f.successes},
	}
	if f.successes > 0 {
		b.Latency.StandardDeviation = math.Sqrt(f.squares / float64(f.successes))
	}
	return b
}
