package proxy

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"
	"time"
)

// endpoints has the client URLs of the members. It excludes a URL for failureWait after a failure. All methods may be called from any
// goroutine.
type endpoints struct {
	failureWait time.Duration
	now         func() time.Time
	seed        maphash.Seed // differs between proxies
	useExcluded bool         // if all URLs are excluded, all are available

	mu            sync.Mutex
	urls          []string
	excludedUntil map[string]time.Time // when a failed URL gets requests again
}

func newEndpoints(failureWait time.Duration, now func() time.Time) *endpoints {
	return &endpoints{failureWait: failureWait, now: now, seed: maphash.MakeSeed(), excludedUntil: map[string]time.Time{}}
}

// set replaces the URLs. It reports whether they changed.
func (e *endpoints) set(urls []string) bool {
	urls = slices.Compact(slices.Sorted(slices.Values(urls)))
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.Equal(urls, e.urls) {
		return false
	}
	e.urls = urls
	for url := range e.excludedUntil {
		if !slices.Contains(urls, url) {
			delete(e.excludedUntil, url)
		}
	}
	return true
}

// any reports whether there are URLs, excluded or not.
func (e *endpoints) any() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.urls) > 0
}

// fail excludes a URL for failureWait.
func (e *endpoints) fail(url string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.Contains(e.urls, url) {
		e.excludedUntil[url] = e.now().Add(e.failureWait)
	}
}

// available returns the URLs that are not excluded, sorted, or all URLs with useExcluded if all are excluded. The slice is never nil.
func (e *endpoints) available() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, list := e.now(), []string{}
	for _, url := range e.urls {
		if !now.Before(e.excludedUntil[url]) {
			list = append(list, url)
		}
	}
	if len(list) == 0 && e.useExcluded {
		list = append(list, e.urls...)
	}
	return list
}

// inOrder returns the available URLs in the order in which a client's requests try them. The order differs between clients.
// Two URLs keep their order when other URLs are added or removed.
func (e *endpoints) inOrder(client string) []string {
	list := e.available()
	rank := make(map[string]uint64, len(list))
	for _, url := range list {
		rank[url] = maphash.String(e.seed, client+" "+url)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Compare(rank[a], rank[b]) })
	return list
}
