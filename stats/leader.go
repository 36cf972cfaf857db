package stats

import (
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// Leader counts a leader's append requests to its followers for /v2/stats/leader: how long they take, and how many
// fail. Every member has a Leader; the API shows only that of the member that leads.
type Leader struct {
	id uint64

	mu        sync.Mutex
	followers map[uint64]*follower
}

// follower has the running mean and variance of the durations. Welford's algorithm computes them: it stays exact where a sum
// of squares would lose its last digits.
type follower struct {
	current, mean, squares, min, max float64 // milliseconds
	successes, failures              uint64
}

// leaderBody is the response body. The names and their order are part of the API. Followers are sorted by their IDs as text.
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

// NewLeader returns the statistics of the member with this ID, without followers.
func NewLeader(id uint64) *Leader {
	return &Leader{id: id, followers: make(map[uint64]*follower)}
}

// Add adds a follower without requests. If the follower exists, Add changes nothing.
func (l *Leader) Add(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.follower(id)
}

// Retain removes the followers that are not in ids, because they have left the cluster.
func (l *Leader) Retain(ids []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.followers, func(id uint64, _ *follower) bool { return !slices.Contains(ids, id) })
}

// Success counts an append request that the follower answered, and how long that took. It adds a follower that does not exist.
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

// Fail counts an append request that did not reach the follower. It adds a follower that does not exist.
func (l *Leader) Fail(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.follower(id).failures++
}

// follower returns the follower with an ID, and adds it if it does not exist. Callers must hold mu.
func (l *Leader) follower(id uint64) *follower {
	f, ok := l.followers[id]
	if !ok {
		// Without a sample the API shows the largest integer as the minimum.
		f = &follower{min: math.MaxInt64}
		l.followers[id] = f
	}
	return f
}

// JSON returns the body of /v2/stats/leader, without a newline. The caller owns it.
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
