package auth

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
)

func TestCache(t *testing.T) {
	d := newDigester()
	t.Run("empty", func(t *testing.T) {
		var c cache
		digest := d.digest("x")
		if l := c.get(digest); l != nil {
			t.Errorf("got %+v", l)
		}
	})
	t.Run("replaced", func(t *testing.T) {
		var c cache
		digest := d.digest("x")
		c.put(&login{digest: digest, hash: "old"})
		c.put(&login{digest: digest, hash: "new"})
		if l := c.get(digest); l == nil || l.hash != "new" {
			t.Errorf("got %+v", l)
		}
	})
	t.Run("10,000 users", func(t *testing.T) {
		var c cache
		const users = 10_000
		for i := range users {
			c.put(&login{digest: d.digest(fmt.Sprint(i)), name: fmt.Sprint(i)})
		}
		missing := 0
		for i := range users {
			digest := d.digest(fmt.Sprint(i))
			switch l := c.get(digest); {
			case l == nil:
				missing++
			case l.name != fmt.Sprint(i):
				t.Fatalf("user %d got the login of %s", i, l.name)
			}
		}
		if missing > users/50 {
			t.Errorf("%d of %d users are missing", missing, users)
		}
	})
	t.Run("a full set drops its oldest login", func(t *testing.T) {
		var c cache
		of := func(i int) (out digest) {
			binary.LittleEndian.PutUint32(out[:], 5)
			out[31] = byte(i)
			return out
		}
		for i := range cachePlaces + 1 {
			c.put(&login{digest: of(i)})
		}
		first, second := of(0), of(1)
		if c.get(first) != nil || c.get(second) == nil {
			t.Error("the missing login is not the oldest one")
		}
	})
}

func TestCacheIsConcurrent(t *testing.T) {
	var c cache
	d := newDigester()
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 2000 {
				digest := d.digest(fmt.Sprint(i % 100))
				if l := c.get(digest); l != nil && l.name != fmt.Sprint(i%100) {
					t.Errorf("got the login of %s for %d", l.name, i%100)
				}
				if (i+g)%3 == 0 {
					c.put(&login{digest: digest, name: fmt.Sprint(i % 100)})
				}
			}
		})
	}
	all.Wait()
}

func TestDigest(t *testing.T) {
	a, b := newDigester(), newDigester()
	first, second := a.digest("x"), a.digest("x")
	if first != second {
		t.Error("the same header has two digests")
	}
	if first == a.digest("y") || first == b.digest("x") {
		t.Error("digests are equal")
	}
}

func BenchmarkDigest(b *testing.B) {
	d := newDigester()
	header := basic("alice", "secret")
	b.ReportAllocs()
	for b.Loop() {
		d.digest(header)
	}
}
