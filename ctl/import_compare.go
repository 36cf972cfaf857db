package ctl

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"pando/ctl/client"
	"pando/tree"
)

// shownConflicts is how many conflicts an error names.
const shownConflicts = 10

// importing is one import in progress.
type importing struct {
	client        *client.Client
	options       *importOptions
	same, expired int // entries that are in the store already, and entries that have expired
	written       atomic.Int64
}

// unexpired returns the entries that have not expired at now, without those in expired directories.
func (im *importing) unexpired(entries []*entry, now time.Time) []*entry {
	if im.options.renewTTLs {
		return entries
	}
	expired := map[string]bool{}
	for _, r := range entries {
		if r.Expiration != nil && !r.Expiration.After(now) {
			expired[r.Key] = true
		}
	}
	var left []*entry
	for _, r := range entries {
		if atOrAbove(r.Key, expired) {
			im.expired++
		} else {
			left = append(left, r)
		}
	}
	return left
}

// atOrAbove reports whether key, or one of the directories above it, is in a set.
func atOrAbove(key string, set map[string]bool) bool {
	for key != "" {
		if set[key] {
			return true
		}
		key = key[:strings.LastIndexByte(key, '/')]
	}
	return false
}

// seconds returns the TTL with which r is written at now, or 0 for none. It is at least 1 for an entry with a TTL.
func (im *importing) seconds(r *entry, now time.Time) int {
	switch {
	case im.options.renewTTLs || r.Expiration == nil:
		return int(r.TTL)
	default:
		return max(1, int(math.Ceil(r.Expiration.Sub(now).Seconds())))
	}
}

// compare returns the entries to write. It returns an error if an entry conflicts with the content of the store.
func (im *importing) compare(ctx context.Context, entries []*entry) ([]*entry, error) {
	there, err := im.existing(ctx, entries)
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
			conflicts = append(conflicts, r.Key+" is a directory there; remove it first with rm --recursive")
		case r.equal(old) && !(im.options.force && (r.TTL != 0 || old.TTL != 0)):
			im.same++
		case im.options.force:
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
	return nil, serverFailure(fmt.Errorf("nothing was written, because of what exists already (--force overwrites values):\n  %s", text))
}

// keyAbove returns an existing key that is in the place of a directory above key, unless the import replaces it by a
// directory. It returns an empty text if there is none.
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

// equal reports whether both are directories, or both are keys with the same value.
func (r *entry) equal(other *entry) bool {
	if r.Dir || other.Dir {
		return r.Dir == other.Dir
	}
	return *r.Value == *other.Value
}

// existing reads from the store the nodes that entries may conflict with: those that a listing shows, and those in the hidden
// directories of entries.
func (im *importing) existing(ctx context.Context, entries []*entry) (map[string]*entry, error) {
	there := map[string]*entry{}
	read := map[string]bool{}
	for _, r := range entries {
		root := listedBy(r.Key, im.options.below)
		if read[root] {
			continue
		}
		read[root] = true
		e, err := im.client.Get(ctx, root, client.GetOptions{Recursive: true, Quorum: true})
		if client.HasCode(err, tree.CodeKeyNotFound) || im.options.force && client.HasCode(err, tree.CodeNotDir) {
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

// listedBy returns the key whose recursive listing shows key: below, or the hidden key between below and key that is nearest
// to key.
func listedBy(key, below string) string {
	if i := strings.LastIndex(key, "/_"); i >= len(strings.TrimSuffix(below, "/")) {
		if end := strings.IndexByte(key[i+1:], '/'); end >= 0 {
			return key[:i+1+end]
		}
		return key
	}
	return below
}
