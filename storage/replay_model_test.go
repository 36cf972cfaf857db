package storage

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"go.etcd.io/etcd/server/v3/storage/wal"
)

var histories = flag.Uint64("storage.histories", 20, "how many histories of a log TestLogHistories writes")

// TestLogHistories writes logs that raft can write. It tears their last write as a crash can, and
// damages what was synced before.
func TestLogHistories(t *testing.T) {
	seeds := *histories
	if testing.Short() {
		seeds = min(seeds, 5)
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			h := newLogHistory(t, seed)
			for range 20 + h.r.IntN(150) {
				h.step()
			}
			h.check()
			for rounds := 0; rounds < 6; {
				if h.step(); len(h.writes) == 0 {
					continue
				}
				h.tear()
				h.damage()
				rounds++
			}
		})
	}
}

// tear loses sectors of the last synced write.
func (h *logHistory) tear() {
	h.t.Helper()
	w := h.writes[len(h.writes)-1]
	if w.path != lastSegment(h.t, h.options) || w.start >= w.end || w.known {
		return
	}
	for range 12 {
		o, path := h.copy()
		lost := ""
		all := h.r.IntN(2) == 0 // after the first lost sector, all others are lost
		for at := w.start; at < w.end; at = (at/sectorBytes + 1) * sectorBytes {
			if all && lost != "" || h.r.IntN(3) == 0 {
				writeAt(h.t, path, at, make([]byte, min(w.end, (at/sectorBytes+1)*sectorBytes)-at))
				lost += fmt.Sprintf(" %d", at)
			}
		}
		d, r, err := Open(o)
		if err != nil {
			h.t.Fatalf("a write from %d to %d lost the sectors at%s: %v", w.start, w.end, lost, err)
		}
		if err := d.Close(); err != nil {
			h.t.Fatal(err)
		}
		if got := summary(r); !slices.Contains(h.outcomes(r.Applied), got) {
			h.t.Fatalf("a write from %d to %d lost the sectors at%s: got %s, want one of %q", w.start, w.end, lost, got, h.outcomes(r.Applied))
		}
	}
}

// outcomes returns the possible summaries after a torn write: of the node before the write; of
// the node with some of the new entries, if it had reached their term before; and of the node
// after the write.
func (h *logHistory) outcomes(applied uint64) []string {
	before, after := h.before, h.disk0
	var all []string
	add := func(n raftNode) {
		for commit := before.commit; commit <= after.commit; commit++ {
			n.commit = commit
			all = append(all, n.summary(applied))
		}
	}
	add(before)
	add(after)
	common := commonLog(&before, &after)
	for n := common + 1; n <= len(after.log) && after.log[n-1] <= before.term; n++ {
		part := before.clone()
		part.log = slices.Clone(after.log[:n])
		add(part)
	}
	return all
}

// damage changes what was synced before the last write. Open must return an error or
// everything that was saved.
func (h *logHistory) damage() {
	h.t.Helper()
	path := lastSegment(h.t, h.options)
	last := h.writes[len(h.writes)-1]
	if last.path != path {
		return
	}
	for range 12 {
		o, copied := h.copy()
		data, err := os.ReadFile(copied)
		if err != nil {
			h.t.Fatal(err)
		}
		what := ""
		switch at := h.r.Int64N(last.start); h.r.IntN(3) {
		case 0:
			what = fmt.Sprintf("byte %d changed", at)
			writeAt(h.t, copied, at, []byte{data[at] ^ byte(1+h.r.IntN(255))})
		case 1:
			what = fmt.Sprintf("cut short at %d", at)
			if err := os.Truncate(copied, at); err != nil {
				h.t.Fatal(err)
			}
		case 2:
			if at = h.provableSector(copied, data); at == 0 {
				continue
			}
			what = fmt.Sprintf("sector %d lost", at/sectorBytes)
			writeAt(h.t, copied, at, make([]byte, sectorBytes))
		}
		d, r, err := Open(o)
		if err == nil {
			if err := d.Close(); err != nil {
				h.t.Fatal(err)
			}
			if got, want := summary(r), h.disk0.summary(r.Applied); got != want {
				h.t.Fatalf("%s of %s: a silent loss: got %s, want %s", what, path, got, want)
			}
			continue
		}
		if !ofKnownKind(err) {
			h.t.Fatalf("%s: %v", what, err)
		}
	}
}

// provableSector returns a sector inside a record, without its length field, such that the end of
// the write and the next write are intact. It gives zero when there is no such sector.
func (h *logHistory) provableSector(path string, data []byte) int64 {
	at := h.r.Int64N(wal.SegmentSizeBytes/sectorBytes) * sectorBytes
	var begin int64
	for _, end := range recordEnds(h.t, path) {
		lost := min(at+sectorBytes, end)
		if begin < at && at < end && !allZero(data[at:lost]) && h.provable(begin, end, at+sectorBytes) {
			return at
		}
		begin = end
	}
	return 0
}

// provable reports whether a record belongs to a write before the last one, and the last record
// of that write begins after the lost bytes.
func (h *logHistory) provable(begin, end, lost int64) bool {
	for _, w := range h.writes[:len(h.writes)-1] {
		if w.path == lastSegment(h.t, h.options) && w.start <= begin && end <= w.end && lost <= w.lastRecord(h.t) {
			return true
		}
	}
	return false
}

// lastRecord is the offset of the last record of a write.
func (w savedWrite) lastRecord(t testing.TB) int64 {
	ends := recordEnds(t, w.path)
	i := slices.Index(ends, w.end)
	if i < 1 {
		return 0
	}
	return ends[i-1]
}
