package tree

import "sync/atomic"

// firstIndex is the index of a tree to which nothing was written. It is not zero,
// because clients read an index of zero as "not set".
const firstIndex = 1

// Store is a tree that commands change. The package comment says which goroutine
// may call what.
type Store struct {
	published atomic.Pointer[View]
	history   *history
	hub       *hub

	// The fields below belong to the applying goroutine.

	root     *Node
	index    uint64
	counters Counters
	dirty    dirtyPaths
	epoch    uint64 // the number of the current batch

	now         int64          // the time of the current batch
	batch       []announcement // of the current batch, which is not published yet
	unannounced []announcement // of published batches, until Announce
}

// Result is the outcome of one command: an event, or an error. OpExpire has
// neither.
type Result struct {
	Event *Event
	Err   *Error
}

// New makes an empty tree whose history holds the last historySize events.
func New(historySize int) *Store {
	s := newStore(historySize)
	s.history.start = firstIndex + 1
	s.publish()
	return s
}

func newStore(historySize int) *Store {
	return &Store{
		root:    newDir("/", newDirectory("/", 0)),
		index:   firstIndex,
		history: newHistory(historySize),
		hub:     newHub(),
	}
}

// View is the tree after the last batch. It never blocks.
func (s *Store) View() *View { return s.published.Load() }

// Apply executes the commands of one batch in their order and publishes the new
// tree. now is the time of the batch, in nanoseconds since 1970, as it stands in
// the log. The results have the order of the commands. A command that fails changes
// nothing but the counters; the commands behind it are executed all the same.
//
// Apply does not wake watchers: Announce does, so that the goroutines which wait for
// the results can be woken first.
func (s *Store) Apply(now int64, commands []Command) []Result {
	s.epoch++
	s.now = now
	results := make([]Result, len(commands))
	for i := range commands {
		c := &commands[i]
		event, err := s.apply(c)
		if err != nil {
			err.Index = s.index
		}
		if o := s.counters.of(c.Op); o != nil {
			o.count(err)
		}
		results[i] = Result{Event: event, Err: err}
	}
	s.publish()
	return results
}

// Announce hands the events of all batches since the last call to the watchers that
// match them. It must be called after each Apply, by the same goroutine.
func (s *Store) Announce() {
	s.hub.announce(s.unannounced)
	clear(s.unannounced)
	s.unannounced = s.unannounced[:0]
}

// Replace puts the content of another store, which was loaded from the checkpoint of
// another member, in the place of this one's. from must not be used any more. This
// member may never have seen the events between the two, so all open watchers end
// with an *Error of CodeWatcherCleared.
func (s *Store) Replace(from *Store) {
	s.root, s.index, s.counters = from.root, from.index, from.counters
	s.dirty = dirtyPaths{lastEvent: from.index}
	s.epoch = max(s.epoch, from.epoch) // otherwise a later batch might have the epoch of a directory of from
	s.unannounced = nil
	s.history.replace(from.history)
	s.publish()
	s.hub.invalidateAll()
}

// publish makes the current batch visible to readers and watchers.
func (s *Store) publish() {
	for _, a := range s.batch {
		s.history.add(a.event)
	}
	s.unannounced = append(s.unannounced, s.batch...)
	clear(s.batch)
	s.batch = s.batch[:0]
	total := s.root.directory()
	s.published.Store(&View{
		root:     s.root,
		index:    s.index,
		oldest:   s.history.oldest(s.index),
		nodes:    total.nodes,
		bytes:    total.bytes,
		due:      total.firstDue().at,
		counters: s.counters,
	})
}
