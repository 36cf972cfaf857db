package auth

import (
	"sync"
	"time"
)

// maxUses is the largest number of tokens in a generation of tokenUses.
const maxUses = 16 << 10

// tokenUses remembers when tokens near their end were used last, so that a client that keeps using its token need not log in again. There
// are two generations, so that their number is bounded. When the young generation has maxUses, or is older than ttl, it becomes the old
// one, and the previous old generation is dropped. A token that is forgotten ends when its expiry has passed.
type tokenUses struct {
	ttl time.Duration

	mu         sync.Mutex
	young, old map[digest]time.Time // the time of the last use
	since      time.Time            // when young began
}

func newTokenUses(ttl time.Duration) *tokenUses {
	return &tokenUses{ttl: ttl, young: map[digest]time.Time{}}
}

// use reports whether a token that expires at a time is valid, and remembers the use. In the first half of its life a token needs no
// entry, so that the usual short-lived client takes no lock.
func (u *tokenUses) use(code digest, expires, now time.Time) bool {
	if expires.Sub(now) > u.ttl/2 {
		return true
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	last, ok := u.young[code]
	if !ok {
		last, ok = u.old[code]
	}
	if !now.Before(expires) && (!ok || now.Sub(last) >= u.ttl) {
		return false
	}
	if len(u.young) >= maxUses || now.Sub(u.since) > u.ttl {
		u.old, u.young, u.since = u.young, map[digest]time.Time{}, now
	}
	u.young[code] = now
	return true
}
