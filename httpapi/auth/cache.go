package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
	"sync/atomic"
)

// digest is the HMAC of an Authorization header. Its bytes are as good as random for everybody outside of the process.
type digest [sha256.Size]byte

// digester computes digests with a random key.
type digester struct{ pool sync.Pool }

// mac is the state of one computation. It is used again, because a new one would need several allocations.
type mac struct {
	hash  hash.Hash
	input []byte
	sum   []byte
}

// newDigester returns a digester with a new key.
func newDigester() *digester {
	key := make([]byte, sha256.BlockSize)
	_, _ = rand.Read(key) // never fails
	d := &digester{}
	d.pool.New = func() any { return &mac{hash: hmac.New(sha256.New, key), sum: make([]byte, 0, sha256.Size)} }
	return d
}

// maxKeptInput is the length of the longest header whose buffer is used again.
const maxKeptInput = 1 << 10

// digest returns the digest of a header.
func (d *digester) digest(header string) (out digest) {
	m := d.pool.Get().(*mac)
	m.hash.Reset()
	m.input = append(m.input[:0], header...)
	_, _ = m.hash.Write(m.input) // never fails
	copy(out[:], m.hash.Sum(m.sum[:0]))
	clear(m.input) // it holds a password
	if cap(m.input) <= maxKeptInput {
		d.pool.Put(m)
	}
	return out
}

// login is the result of verifying a password. It never changes.
type login struct {
	digest digest
	name   string // of the user
	// hash is the stored hash with which the password was verified; empty for an unknown user. The result is valid for as
	// long as the user has this hash.
	hash string
}

// The size of a cache. A digest selects a set, in which a login may have any place. With cacheSets*4 users one of
// a thousand sets has too few places.
const (
	cacheSets   = 4096
	cachePlaces = 8
)

// cache is a bounded table of logins. Readers take no lock. A full set forgets its oldest login.
type cache struct{ table atomic.Pointer[cacheTable] }

type cacheTable [cacheSets]cacheSet

type cacheSet struct {
	places [cachePlaces]atomic.Pointer[login]
	next   atomic.Uint32 // the place that is used next
}

func (d *digest) set() uint32 { return binary.LittleEndian.Uint32(d[:]) % cacheSets }

// get returns the login with a digest, or nil. Comparing digests leaks nothing by its time, because nobody outside of the process
// can choose or predict their bytes.
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
