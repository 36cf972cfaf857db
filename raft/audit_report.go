package raft

import (
	"cmp"
	"fmt"
	"slices"

	"pando/members"
)

// AuditReport is the result of an audit: a comparison of the members' data.
type AuditReport struct {
	// Index is that of the log entry after which the data was compared.
	Index uint64
	// Members is the number of members that took part.
	Members int
	// Missing are the members that did not take part, because they are down, cut off or far behind. They are sorted.
	Missing []members.ID
	// Differences is empty when the data is the same.
	Differences []Difference
}

// Difference is a part of the data in which members differ.
type Difference struct {
	// State means that the index, the counters, the sizes, the users or the mirror differ. If it is false, paths from Low (inclusive,
	// "" for the first) to High (exclusive, "" for the end) differ, in the order of a walk of the tree.
	State     bool
	Low, High string
	// Members are those whose data differs from the majority's, or all that took part when there is no majority. They are
	// sorted.
	Members []members.ID
	// Hashes has the hash of each member that took part.
	Hashes map[members.ID]string
}

func (d Difference) describe() string {
	part := "the index, the counters, the users or the mirror"
	if !d.State {
		part = fmt.Sprintf("keys from %s to before %s", cmp.Or(d.Low, "the first"), cmp.Or(d.High, "the end"))
	}
	if len(d.Members) == len(d.Hashes) {
		return part + " are not the same on any majority; stop writing, save a snapshot of each member, and find out which is right"
	}
	return part + " are not what the majority holds; remove the members named here, and add them again with empty data directories"
}

// differences compares the results of a round.
func differences(bounds []string, results map[members.ID]auditResult) []Difference {
	var found []Difference
	compare := func(d Difference, of func(auditResult) uint64) {
		hashes := map[members.ID]uint64{}
		for id, r := range results {
			hashes[id] = of(r)
		}
		if d.Members = outvoted(hashes); d.Members == nil {
			return
		}
		d.Hashes = map[members.ID]string{}
		for id, h := range hashes {
			d.Hashes[id] = fmt.Sprintf("%016x", h)
		}
		found = append(found, d)
	}
	low := ""
	for i := range len(bounds) + 1 {
		high := ""
		if i < len(bounds) {
			high = bounds[i]
		}
		compare(Difference{Low: low, High: high}, func(r auditResult) uint64 { return r.Ranges[i] })
		low = high
	}
	compare(Difference{State: true}, func(r auditResult) uint64 { return r.State })
	return found
}

// outvoted returns the members whose hash is not the majority's, or all when no hash has a majority; nil when all hashes are
// the same.
func outvoted(hashes map[members.ID]uint64) []members.ID {
	votes := map[uint64]int{}
	for _, h := range hashes {
		votes[h]++
	}
	if len(votes) < 2 {
		return nil
	}
	var odd []members.ID
	for id, h := range hashes {
		if 2*votes[h] <= len(hashes) {
			odd = append(odd, id)
		}
	}
	slices.Sort(odd)
	return odd
}
