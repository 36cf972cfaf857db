package tree

import (
	"sync/atomic"

	"pando/tree/users"
)

// firstIndex is the index of a new tree. It is not zero, because clients treat an index of
// zero as "not set".
const firstIndex = 1

// Store is a tree that is changed by commands. The package comment lists the methods that
// only the applying goroutine may call.
type Store struct {
	published atomic.Pointer[View]
	// supersededBytes is the value of superseded after the last published batch.
	supersededBytes atomic.Int64
	// announced is the index of the last event that was passed to the watchers. See Announced.
	announced atomic.Uint64
	// announcedRevision is the revision of the tree after the last event that was passed to the watchers.
	announcedRevision atomic.Uint64

	history   *history
	hub       *hub
	removals  removals
	scopes    *scopes // nil without HistoryLimits.ScopeBytes
	keyHub    keyHub
	leaseKeys *leaseKeys

	// Only the applying goroutine may use the fields below.

	root      *Node
	plain     *plainKeys
	index     uint64
	revisions revisions
	counters  Counters
	users     *users.State
	mirrored  *mirrored // nil if the cluster has never followed an etcd
	leases    *leases
	keys      View // see current
	dirty     dirtyPaths
	epoch     uint64 // the number of the current batch, or of a part of it; see applyTxn
	inTxn     bool   // an OpTxn is being executed
	measures  bool   // the store only measures; see View.growth

	keyHistory keyHistory
	retention  retention

	resultBytes int64 // see SetResultLimit

	// superseded is the total length of the paths and values of all nodes that were replaced or removed.
	superseded int64

	attachments []attachmentChange // the changes of leaseKeys by the current batch
	endingLease int64              // the lease whose keys are being removed, or 0; see moveLease
	now         int64              // the time of the current batch
	batch       []announcement     // the events of the current batch
	unannounced []announcement     // the events of published batches since the last Announce
	// rightsLost says that a batch since the last Announce may have taken rights away.
	rightsLost bool
	// removed says that removals were added since the last Announce.
	removed bool
}

// Result is the outcome of one command: an event, an error, the result of an OpTxn, or that of an OpKV or an OpDeleteRange. An OpPut has
// an event. The Result of OpExpire, and that of a successful OpMirror, OpLeaseGrant, OpLeaseRevoke or OpCompact, have none of them.
type Result struct {
	Event *Event
	Err   *Error
	Txn   *TxnResult
	KV    *KVResult
}

// New makes an empty tree whose history holds the last historySize events.
func New(historySize int) *Store {
	s := newStore(historySize)
	s.history.start = firstIndex + 1
	s.publish()
	s.setAnnounced()
	return s
}

func newStore(historySize int) *Store {
	none := new(users.State)
	root := newDir("/", newDirectory("/", 0))
	root.setUnchangedSince(firstIndex)
	return &Store{
		root:      root,
		plain:     newPlainKeys(),
		index:     firstIndex,
		users:     none,
		leases:    noLeases,
		leaseKeys: newLeaseKeys(),
		dirty:     dirtyPaths{users: none},
		history:   newHistory(historySize),
		hub:       newHub(),
	}
}

// View returns the tree after the last batch. It never blocks.
func (s *Store) View() *View { return s.published.Load() }

// SupersededBytes returns the total length of the paths and values of all nodes that were replaced or removed since the store was made.
// A View that is kept keeps at most those nodes in memory that were superseded since it was published.
func (s *Store) SupersededBytes() int64 { return s.supersededBytes.Load() }

// Apply executes the commands of one batch in order, publishes the new tree, and returns
// the results in the order of the commands. now is the time of the batch in the log, in
// nanoseconds since 1970. A command that fails changes only the counters; a failed OpUsers may
// also take indexes. The commands after it are executed.
//
// Apply does not wake watchers. Announce does, so that the caller can first wake the
// goroutines that wait for the results.
func (s *Store) Apply(now int64, commands []Command) []Result {
	s.epoch++
	s.now = now
	results := make([]Result, len(commands))
	for i := range commands {
		c := &commands[i]
		r := s.apply(c)
		if r.Err != nil {
			r.Err.Index = s.index
		}
		s.counters.count(c.Op, r.Err)
		results[i] = r
	}
	s.publish()
	return results
}

// Announce passes the events since the last call to the matching watchers. If a change of the
// users may have taken rights away, it then signals all watchers, so that their readers check
// again whether they may read. It must be called after each Apply.
func (s *Store) Announce() {
	s.hub.announce(s.unannounced)
	s.keyHub.announce(s.unannounced)
	if s.removed {
		s.removed = false
		oldest := s.View().oldest
		if s.scopes != nil {
			oldest = 0 // events may be kept for longer than in the history
		}
		s.removals.trim(oldest)
	}
	s.setAnnounced()
	s.unannounced = emptied(s.unannounced)
	if s.rightsLost {
		s.rightsLost = false
		s.hub.signalAll()
		s.keyHub.signalAll()
	}
}

// Replace replaces the content of s by that of from, a store that was loaded from the
// checkpoint of another member. from must not be used afterwards. The events between the
// two states may be lost, so all open watchers end with an *Error of CodeWatcherCleared.
func (s *Store) Replace(from *Store) {
	s.superseded += s.bytes()
	s.root, s.plain, s.index, s.revisions, s.counters = from.root, from.plain, from.index, from.revisions, from.counters
	s.users, s.mirrored = from.users, from.mirrored
	s.leases, s.attachments = from.leases, nil
	s.leaseKeys.replace(from.leaseKeys)
	s.dirty = dirtyPaths{lastEvent: from.index, users: from.users}
	s.epoch = max(s.epoch, from.epoch) // otherwise a later batch might have the epoch of a directory of from
	s.unannounced, s.rightsLost = nil, false
	s.history.replace(from.history)
	s.keyHistory, s.retention = from.keyHistory, from.retention
	s.removals.reset()
	if s.scopes != nil {
		s.scopes.newest = s.index
		s.scopes.reset(s.history.oldest(s.index) - 1)
	}
	s.publish()
	s.hub.invalidateAll()
	s.keyHub.resumeAll()
	s.setAnnounced()
}

// bytes returns what View.Bytes of the private root would be.
func (s *Store) bytes() int64 { return s.root.directory().bytes + s.plain.bytes }

// Announced returns an index up to which all events were passed to the watchers. If Poll of a watcher returns no event and no error after
// this call, the watcher has returned all its events up to this index.
func (s *Store) Announced() uint64 { return s.announced.Load() }

// keepsRemovals reports whether anybody may want to read the nodes below a directory that is removed now.
func (s *Store) keepsRemovals() bool { return s.removals.limit > 0 || s.hub.each.Load() > 0 }

// publish makes the current batch visible to readers and watchers.
func (s *Store) publish() {
	s.prepareHistory()
	for _, a := range s.batch {
		if a.event == nil {
			s.history.reset(a.lostUpTo)
			s.retention.partial = a.lostUpTo
			s.removals.reset()
			if s.scopes != nil {
				s.scopes.newest = a.lostUpTo
				s.scopes.reset(a.lostUpTo)
			}
		} else {
			if s.scopes != nil {
				index := a.event.Index()
				s.scopes.makeRoom(index, s.history.next(s.scopes.newest+1), s.history.displaced(index))
			}
			if a.removed != nil && s.keepsRemovals() {
				s.removals.add(a.event.Index(), a.removed)
				s.removed = true
			}
			s.history.add(a.event)
			if !a.event.isWhole() {
				s.retention.partial = a.event.Index()
			}
		}
	}
	s.trimHistory()
	s.takeBatch()
	s.supersededBytes.Store(s.superseded)
	s.publishLeaseKeys()
	s.keys.root, s.keys.plain = nil, nil // which would keep an old tree in memory
	s.published.Store(&View{
		root:      s.root,
		plain:     s.plain,
		index:     s.index,
		revisions: s.revisions,
		oldest:    s.history.oldest(s.index),
		due:       s.nextDue().at,
		counters:  s.counters,
		users:     s.users,
		mirrored:  s.mirrored,
		leases:    s.leases,

		keyHistory:   s.keyHistory,
		historyBytes: s.historyBytes(),
		partial:      s.retention.partial,
	})
}

// setAnnounced records that all events were passed to the watchers.
func (s *Store) setAnnounced() {
	s.announced.Store(s.index)
	s.announcedRevision.Store(s.View().Revision())
}

// takeBatch adds the events of the batch to unannounced, and empties the batch.
func (s *Store) takeBatch() {
	if len(s.unannounced) == 0 {
		s.unannounced, s.batch = s.batch, s.unannounced
		return
	}
	s.unannounced = append(s.unannounced, s.batch...)
	s.batch = emptied(s.batch)
}

// emptied returns an empty list that refers to nothing. It has the memory of a list, unless that is very large.
func emptied(list []announcement) []announcement {
	if cap(list) > keptAnnouncements {
		return nil
	}
	clear(list)
	return list[:0]
}

// keptAnnouncements is the largest capacity of a list of announcements that is used again.
const keptAnnouncements = 1 << 14
