package migrate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// wantIndexes fails unless the reader has read the events with these indexes.
func wantIndexes(t *testing.T, got []uint64, want ...uint64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got the events %v, want %v", got, want)
	}
}

func TestReader(t *testing.T) {
	t.Run("what was there before", func(t *testing.T) {
		t.Parallel()
		m := newFakeMember()
		for range 50 {
			m.set("/a")
		}
		c, _ := startReader(t, 40, m)
		wantIndexes(t, c.until(50), 41, 42, 43, 44, 45, 46, 47, 48, 49, 50)
	})
	t.Run("hidden keys and silent indexes", func(t *testing.T) {
		t.Parallel()
		m := newFakeMember()
		m.set("/a")
		c, _ := startReader(t, 1, m)
		m.set("/_h")   // 2, at the end of the stream
		c.until(2)     // found by looking at the index
		m.refresh()    // 3
		m.set("/a")    // 4
		m.set("/_h/x") // 5, between two events of the stream
		m.refresh()    // 6
		m.set("/b")    // 7
		wantIndexes(t, c.until(7), 4, 5, 7)
		m.refresh()
		wantIndexes(t, c.until(8))
	})
	t.Run("a burst that ends the stream", func(t *testing.T) {
		t.Parallel()
		m := newFakeMember()
		c, _ := startReader(t, 0, m)
		for range 20 * bufferSize {
			m.set("/a")
		}
		if got := c.until(20 * bufferSize); len(got) != 20*bufferSize {
			t.Errorf("got %d events, want %d", len(got), 20*bufferSize)
		}
	})
	t.Run("a lost window", func(t *testing.T) {
		t.Parallel()
		m := newFakeMember()
		for range 30 {
			m.set("/a")
		}
		m.oldest = 20
		_, ended := startReader(t, 10, m)
		if err := <-ended; !errors.Is(err, errWindowLost) {
			t.Errorf("got %v, want %v", err, errWindowLost)
		}
	})
	t.Run("another cluster", func(t *testing.T) {
		t.Parallel()
		m, other := newFakeMember(), newFakeMember()
		m.set("/a")
		other.id = "c2"
		c, ended := startReader(t, 0, m, other)
		c.until(1)
		m.fail(true)
		if err := <-ended; !errors.Is(err, ErrOtherCluster) {
			t.Errorf("got %v, want %v", err, ErrOtherCluster)
		}
	})
}

// TestReaderGaps gets responses without an event between others that have one.
func TestReaderGaps(t *testing.T) {
	m := newFakeMember()
	m.missed = map[uint64]int{1: 1, 3: 2, 4: 3, 8: 3}
	for range 10 {
		m.set("/a")
	}
	c, _ := startReader(t, 0, m)
	wantIndexes(t, c.until(10), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
}

// TestReaderFailover kills members in turn. They share a history, but the second is behind when it is asked first.
func TestReaderFailover(t *testing.T) {
	a, b := newFakeMember(), newFakeMember()
	both := func(key string) {
		a.set(key)
		b.set(key)
	}
	both("/a")
	c, _ := startReader(t, 0, a, b)
	c.until(1)
	a.set("/behind") // 2
	c.until(2)
	a.fail(true)
	b.set("/behind")
	both("/_h") // 3
	both("/b")  // 4
	wantIndexes(t, c.until(4), 3, 4)
	a.fail(false)
	b.fail(true)
	both("/c")
	wantIndexes(t, c.until(5), 5)
}

// TestReaderLag reads from a member that is cut off from the others: it responds, but gets no more changes.
func TestReaderLag(t *testing.T) {
	a, b := newFakeMember(), newFakeMember()
	a.set("/a")
	b.set("/a")
	c, _ := startReader(t, 0, a, b)
	c.until(1)
	b.set("/_h")
	b.set("/b")
	wantIndexes(t, c.until(3), 2, 3)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.notes) != 1 || !strings.Contains(c.notes[0], errLags.Error()) {
		t.Errorf("notes: %v", c.notes)
	}
}

// TestReaderMissed shows an event late in the history, after its index was taken for a silent one.
func TestReaderMissed(t *testing.T) {
	m := newFakeMember()
	m.set("/a")
	c, ended := startReader(t, 1, m)
	m.mu.Lock()
	m.late[2] = true
	m.mu.Unlock()
	m.set("/_h") // 2
	if got := c.until(2); len(got) != 0 {
		t.Fatalf("got %v", got)
	}
	m.mu.Lock()
	m.late[2] = false
	m.mu.Unlock()
	m.set("/b")
	if err := <-ended; !errors.Is(err, errWindowLost) || !errors.Is(err, errMissed) {
		t.Errorf("got %v, want %v", err, errMissed)
	}
}

// TestReaderRandom mixes all kinds of changes and failures. No event may be missing.
func TestReaderRandom(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 1))
			m := newFakeMember()
			c, _ := startReader(t, 0, m)
			var got, want []uint64
			for range 1500 {
				switch n := random.IntN(100); {
				case n < 60:
					m.set("/a")
				case n < 75:
					m.set("/_h/x")
				case n < 97:
					m.refresh()
					continue
				case n < 98:
					m.fail(true)
					m.fail(false)
					continue
				default: // some changes come when the reader has read all before, others in between
					got = append(got, c.until(c.last+random.Uint64N(m.index-c.last+1))...)
					continue
				}
				want = append(want, m.index)
			}
			m.set("/end")
			want = append(want, m.index)
			wantIndexes(t, append(got, c.until(m.index)...), want...)
		})
	}
}

func TestQueue(t *testing.T) {
	m := newFakeMember()
	var s segment
	for range 10 {
		m.set("/a")
	}
	for _, e := range m.events {
		f, err := eventOf(e)
		if err != nil {
			t.Fatal(err)
		}
		s.events = append(s.events, f)
	}
	s.to, s.silent = 12, 2
	q := newQueue(queueLimit)
	if err := q.push(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	one := encodedSize(&s.events[0])
	var got []uint64
	last, silent := uint64(0), 0
	for last < 12 {
		part, err := q.pop(t.Context(), 3*one+1)
		if err != nil || len(part.events) > 3 || part.to <= last {
			t.Fatalf("%d events up to %d after %d, %v", len(part.events), part.to, last, err)
		}
		for i := range part.events {
			got = append(got, indexOf(&part.events[i]))
		}
		last, silent = part.to, silent+part.silent
	}
	wantIndexes(t, got, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	if silent != 2 || q.bytes != 0 {
		t.Errorf("%d silent indexes, %d bytes left", silent, q.bytes)
	}
	if err := q.push(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if part, err := q.pop(t.Context(), 1); err != nil || len(part.events) != 1 {
		t.Errorf("an event that is larger than the limit: %d events, %v", len(part.events), err)
	}
}
