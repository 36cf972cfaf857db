package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// TestReadRecords reads a bucket of several batches. The reading must end with the caller.
func TestReadRecords(t *testing.T) {
	m := newMember(t)
	defer m.close()
	for i := range 20 { // in chunks of their own
		m.set(fmt.Sprintf("/%02d", i), strings.Repeat("x", aheadBytes/4))
	}
	m.checkpoint()
	data, err := os.ReadFile(m.disk.paths.state)
	if err != nil {
		t.Fatal(err)
	}
	open := func(t *testing.T) (*boltReader, bucketRef) {
		t.Helper()
		p, err := openBoltReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		_, keys, err := topBuckets(p)
		if err != nil {
			t.Fatal(err)
		}
		b, err := readTreeBuckets(p, *keys)
		if err != nil {
			t.Fatal(err)
		}
		return p, *b.deltas
	}
	refused := fmt.Errorf("%w: no more", ErrCorrupt)
	for _, tc := range []struct {
		name              string
		limit             uint64
		refuse, want, sum int // refuse is the number of the record that the caller refuses
		err               error
	}{
		{"all", math.MaxUint64, -1, 20, 20, nil},
		{"up to a limit", 7, -1, 7, 7, nil},
		{"none", 0, -1, 0, 0, nil},
		{"the first is refused", math.MaxUint64, 0, 1, -1, refused},
		{"one in the middle is refused", math.MaxUint64, 10, 11, -1, refused},
		{"the last is refused", math.MaxUint64, 19, 20, -1, refused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, ref := open(t)
			taken := 0
			totals, err := readRecords(p, ref, tc.limit, func(key, value []byte) error {
				if want := chunkKey(uint64(taken + 1)); !bytes.Equal(key, want) || len(value) < aheadBytes/4 {
					t.Errorf("got %d bytes under %x, want those under %x", len(value), key, want)
				}
				taken++
				if taken-1 == tc.refuse {
					return refused
				}
				return nil
			})
			if !errors.Is(err, tc.err) || taken != tc.want || tc.sum >= 0 && totals.records != uint64(tc.sum) {
				t.Errorf("took %d of %d records: %v; want %d and %v", taken, totals.records, err, tc.want, tc.err)
			}
		})
	}
}
