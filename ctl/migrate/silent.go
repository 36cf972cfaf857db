package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"
)

// readSilent makes the target equal where the source has changed without an event since the comparison of all keys. The source must be at
// index, and not change. The nodes with a TTL explain an index if they were refreshed there last. If an index remains, a TTL may have been
// given to a key that had none. Then the trees are compared again, behind the fence.
func (s *switching) readSilent(ctx context.Context, index uint64) error {
	if err := s.follower.readList(ctx, index); err != nil { // another process may have changed the target, too
		return err
	}
	if _, err := s.follower.refresh(ctx, nil); err != nil {
		return err
	}
	unexplained := s.follower.unexplained(s.silent.silentIndexes())
	if unexplained == 0 {
		return nil
	}
	s.o.Note(fmt.Sprintf("comparing all keys again behind the fence: etcd had %d changes without an event since the comparison", unexplained))
	began := time.Now()
	next := s.follower.trackers.begin()
	if err := s.follower.repair(ctx); err != nil {
		s.follower.trackers.end(next)
		if ctx.Err() != nil && !errors.Is(err, errMoved) {
			return fmt.Errorf("%w: TTLs were refreshed (or users changed) %d times since the comparison, and %s were not enough to compare "+
				"all keys again. Stop the clients that refresh TTLs often, and switch again", ErrBusy, unexplained,
				time.Since(began).Round(time.Millisecond))
		}
		return err
	}
	s.follower.trackers.end(s.silent)
	s.silent = next
	return nil
}

// unexplained returns how many of the indexes are not the modifiedIndex of a node with a TTL.
func (f *Follower) unexplained(indexes []uint64) int {
	open := make(map[uint64]bool, len(indexes))
	for _, index := range indexes {
		open[index] = true
	}
	f.listMu.Lock()
	defer f.listMu.Unlock()
	for _, n := range f.list.expiring {
		delete(open, n.modified)
	}
	return len(open)
}

// hasList reports whether the nodes of the target with a TTL are those that the Follower has read and stored. They are not if another
// process has changed them.
func (f *Follower) hasList(ctx context.Context, index uint64) (bool, error) {
	list, err := f.target.listed(ctx, index)
	if err != nil {
		return false, err
	}
	f.listMu.Lock()
	defer f.listMu.Unlock()
	return maps.Equal(list.expiring, f.list.expiring), nil
}
