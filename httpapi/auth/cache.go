package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
)

// digest identifies an Authorization header in a cache. Nobody outside of the process can predict it.
type digest [sha256.Size]byte

// digester computes digests with a random key.
type digester struct{ key [32]byte }

// newDigester returns a digester with a new key.
func newDigester() *digester {
	d := &digester{}
	_, _ = rand.Read(d.key[:]) // never fails
	return d
}

// usualHeader is the length of the longest header whose digest is computed without an allocation.
const usualHeader = 480

// digest returns the SHA-256 of the key and the header. An HMAC would take twice as long. It is not needed, because digests never
// leave the process: with a digest an attacker could compute the digests of longer headers without the key.
func (d *digester) digest(header string) digest {
	var input [len(d.key) + usualHeader]byte
	if len(header) <= usualHeader {
		copy(input[:], d.key[:])
		n := copy(input[len(d.key):], header)
		return sha256.Sum256(input[:len(d.key)+n])
	}
	return sha256.Sum256(append(d.key[:], header...))
}

// login is the result of verifying a password. It never changes.
type login struct {
	digest digest
	name   string // of the user
	// hash is the stored hash with which the password was verified; empty for an unknown user. The result is valid for as
	// long as the user has this hash.
	hash string
}

// The size of a cache. A digest selects a set, and a login may be at any place of its set. With 10,000 users, one of a thousand sets
// has too few places.
const (
	cacheSets   = 4096
	cachePlaces = 8
)

// cache is a bounded table of logins. Readers take no lock. A login that is added to a full set replaces the oldest one.
type cache struct{ table atomic.Pointer[cacheTable] }

type cacheTable [cacheSets]cacheSet

type cacheSet struct {
	places [cachePlaces]atomic.Pointer[login]
	next   atomic.Uint32 // the place that is used next
}

func (d *digest) set() uint32 { return binary.LittleEndian.Uint32(d[:]) % cacheSets }

// get returns the login with a digest, or nil. The time of the comparisons reveals nothing, because nobody outside of the process can
// choose or predict the bytes of a digest.
func (c *cache) get(d digest) *login {
	table := c.table.Load()
	if table == nil {
		return nil
	}
	set := &table[d.set()]
	for i := range set.places {
		if l := set.places[i].Load(); l != nil && l.digest == d {
			return l
		}
	}
	return nil
}

// put adds a login. It replaces the login with the same digest, if there is one.
func (c *cache) put(l *login) {
	if c.table.Load() == nil {
		c.table.CompareAndSwap(nil, new(cacheTable)) // 300 kB, which a server without users does not need
	}
	set := &c.table.Load()[l.digest.set()]
	for i := range set.places {
		if old := set.places[i].Load(); old != nil && old.digest == l.digest {
			set.places[i].Store(l)
			return
		}
	}
	set.places[set.next.Add(1)%cachePlaces].Store(l)
}
