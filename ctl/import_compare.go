package ctl

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"
)

// importing is one import under way.
type importing struct {
	client        *client
	force, renew  bool
	same, expired int
	written       atomic.Int64
}

// living returns the entries without those that have expired at a time, and without what was in expired directories.
func (im *importing) living(entries []*entry, now time.Time) []*entry {
	if im.renew {
		return entries
	}
	gone := map[string]bool{}
	for _, r := range entries {
		if r.Expiration != nil && !r.Expiration.After(now) {
			gone[r.Key] = true
		}
	}
	var left []*entry
	for _, r := range entries {
		if atOrAbove(r.Key, gone) {
			im.expired++
		} else {
			left = append(left, r)
		}
	}
	return left
}

// atOrAbove says whether key or one of the directories above it is in a set.
func atOrAbove(key string, set map[string]bool) bool {
	for key != "" {
		if set[key] {
			return true
		}
		key = key[:strings.LastIndexByte(key, '/')]
	}
	return false
}

// seconds is the TTL that r gets now; 0: it lives for ever. At least one is left of what has not expired.
func (im *importing) seconds(r *entry, now time.Time) int {
	switch {
	case im.renew || r.Expiration == nil:
		return int(r.TTL)
	default:
		return max(1, int(math.Ceil(r.Expiration.Sub(now).Seconds())))
	}
}

// compare returns the entries that are to be written. It refuses those that the store can't take.
func (im *importing) compare(ctx context.Context, entries []*entry, below string) ([]*entry, error) {
	there, err := im.existing(ctx, entries, below)
	if err != nil {
		return nil, serverFailure(err)
	}
	dirs := map[string]bool{}
	for _, r := range entries {
		dirs[r.Key] = r.Dir
	}
	var changes []*entry
	var conflicts []string
	for _, r := range entries {
		old := there[r.Key]
		switch {
		case old == nil && keyAbove(r.Key, there, dirs) != "":
			conflicts = append(conflicts, r.Key+" can't be made: "+keyAbove(r.Key, there, dirs)+" is a key there")
		case old == nil:
			changes = append(changes, r)
		case old.Dir && !r.Dir:
			conflicts = append(conflicts, r.Key+" is a directory there, rm --recursive it first")
		case r.equal(old) && !(im.force && (r.TTL != 0 || old.TTL != 0)):
			im.same++
		case im.force:
			changes = append(changes, r)
		case r.Dir:
			conflicts = append(conflicts, r.Key+" is a key there")
		default:
			conflicts = append(conflicts, r.Key+" has another value there")
		}
	}
	if len(conflicts) == 0 {
		return changes, nil
	}
	text := strings.Join(conflicts[:min(len(conflicts), shownConflicts)], "\n  ")
	if more := len(conflicts) - shownConflicts; more > 0 {
		text += fmt.Sprintf("\n  and %d more", more)
	}
	return nil, failWith(exitServer, fmt.Errorf("nothing was written, because of what is there already (--force overwrites values):\n  %s", text))
}

// keyAbove returns the key that is there where key needs a directory, unless that directory is imported; "" if none is.
func keyAbove(key string, there map[string]*entry, dirs map[string]bool) string {
	for {
		key = key[:strings.LastIndexByte(key, '/')]
		if key == "" || dirs[key] {
			return ""
		}
		if old := there[key]; old != nil && !old.Dir {
			return key
		}
	}
}

// equal says whether both are directories, or keys with one value.
func (r *entry) equal(other *entry) bool {
	if r.Dir || other.Dir {
		return r.Dir == other.Dir
	}
	return *r.Value == *other.Value
}

// existing reads what the store has where the entries belong: what a listing shows, and each hidden part.
func (im *importing) existing(ctx context.Context, entries []*entry, below string) (map[string]*entry, error) {
	there := map[string]*entry{}
	read := map[string]bool{}
	for _, r := range entries {
		root := listedBy(r.Key, below)
		if read[root] {
			continue
		}
		read[root] = true
		e, err := im.client.read(ctx, root, readOptions{recursive: true, quorum: true})
		if hasCode(err, codeKeyNotFound) || im.force && hasCode(err, codeNotADirectory) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, old := range entriesOf(e.Node, nil) {
			there[old.Key] = old
		}
	}
	return there, nil
}

const (
	codeNotAFile      = 102 // the errorCode of a directory where a key should be
	codeNotADirectory = 104 // the errorCode of what would be below a key that is no directory
)

// listedBy returns the key whose recursive listing shows key: below, or the hidden one nearest to key that is further down.
func listedBy(key, below string) string {
	if i := strings.LastIndex(key, "/_"); i >= len(strings.TrimSuffix(below, "/")) {
		if end := strings.IndexByte(key[i+1:], '/'); end >= 0 {
			return key[:i+1+end]
		}
		return key
	}
	return below
}
