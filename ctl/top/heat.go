package top

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"pando/ctl/client"
)

const (
	// window is how far back events count.
	window = 10 * time.Second
	// maxSubtrees is the number of subtrees that are counted one by one in a second. Further ones are counted together.
	maxSubtrees = 10_000
	// otherSubtrees is the name of those that are counted together.
	otherSubtrees = "(others)"
)

// Subtree is a directory in a Report, with the events of everything in it.
type Subtree struct {
	Key       string  `json:"key"`
	EventRate float64 `json:"eventsPerSecond"`
}

// Heat counts the events of a stream by subtree.
type Heat struct {
	depth int // levels of the subtrees' keys

	mu      sync.Mutex
	begun   time.Time // of the counting; zero: it has not begun
	slots   [int(window/time.Second) + 1]slot
	failure string
}

// slot has the events of one second.
type slot struct {
	second int64 // since 1970
	counts map[string]int
}

// NewHeat returns a Heat for subtrees whose keys have up to depth levels.
func NewHeat(depth int) *Heat { return &Heat{depth: depth} }

// Run counts the changes at and below a key until ctx ends. It opens a stream at one endpoint after the other.
func (h *Heat) Run(ctx context.Context, c *client.Client, key string) {
	var backoff client.Backoff
	for at := 0; ctx.Err() == nil; at++ {
		endpoints := c.Endpoints()
		endpoint, err := client.ParseEndpoint(endpoints[at%len(endpoints)])
		if err == nil {
			var counted bool
			if counted, err = h.follow(ctx, c.WithEndpoints(endpoint), key); counted {
				backoff = client.Backoff{}
			}
		}
		if client.IsUnauthorized(err) {
			h.fail(fmt.Errorf("%w; name a key that the user may read, with everything below it", err))
			return
		}
		h.fail(err)
		if backoff.Wait(ctx) != nil {
			return
		}
	}
}

// follow counts the events of one stream, until it ends. counted is true if the stream began.
func (h *Heat) follow(ctx context.Context, one *client.Client, key string) (counted bool, err error) {
	s, err := one.OpenKeyStream(ctx, key)
	if err != nil {
		return false, err
	}
	defer s.Close()
	h.start(time.Now())
	for {
		e, err := s.Next()
		if err != nil {
			return true, err
		}
		h.add(e.Node.Key, time.Now())
	}
}

func (h *Heat) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.failure = client.OneLine(err)
	}
}

func (h *Heat) start(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failure = ""
	if h.begun.IsZero() {
		h.begun = now
	}
}

// add counts an event of a key.
func (h *Heat) add(key string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	second := now.Unix()
	at := &h.slots[second%int64(len(h.slots))]
	if at.second != second || at.counts == nil {
		*at = slot{second, map[string]int{}}
	}
	subtree := subtreeOf(key, h.depth)
	if _, known := at.counts[subtree]; !known && len(at.counts) >= maxSubtrees {
		subtree = otherSubtrees
	}
	at.counts[subtree]++
}

// subtreeOf returns the directory of a key, but at most depth levels of it.
func subtreeOf(key string, depth int) string {
	end := 0 // of the directory
	for range depth {
		next := strings.IndexByte(key[min(end+1, len(key)):], '/')
		if next < 0 {
			break
		}
		end += 1 + next
	}
	if end == 0 {
		return "/"
	}
	return key[:end]
}

// top returns the subtrees with the most events first, the rate of all events, and the seconds in which they were counted.
func (h *Heat) top(now time.Time) (subtrees []Subtree, rate, seconds float64, failure string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	subtrees = []Subtree{}
	if h.begun.IsZero() {
		return subtrees, 0, 0, h.failure
	}
	seconds = min(max(now.Sub(h.begun), time.Second), window).Seconds()
	counts := map[string]int{}
	for _, s := range h.slots {
		if now.Unix()-s.second < int64(window/time.Second) {
			for key, n := range s.counts {
				counts[key] += n
			}
		}
	}
	for key, n := range counts {
		subtrees = append(subtrees, Subtree{key, float64(n) / seconds})
		rate += float64(n) / seconds
	}
	slices.SortFunc(subtrees, func(a, b Subtree) int {
		return cmp.Or(cmp.Compare(b.EventRate, a.EventRate), cmp.Compare(a.Key, b.Key))
	})
	const most = 100
	return subtrees[:min(len(subtrees), most)], rate, seconds, h.failure
}
