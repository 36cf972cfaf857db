package tree

import "sync/atomic"

// firstIndex is the index of a tree that nothing was written to. It is not
// zero, because clients read an index of zero as "not set".
const firstIndex = 1

// Store is a tree that changes. See the package comment for who may call what.
type Store struct {
	published atomic.Pointer[View]
	history   *history
	hub       *hub

	// What follows belongs to the applying goroutine.

	root     *Node
	index    uint64
	counters Counters
	changes  changes
	epoch    uint64
	now      int64    // the time of the batch at work
	batch    []change // the changes of the batch at work
	unwoken  []change // published changes whose watchers wait for Notify
}

// change is one event together with what the watchers' hub needs to know.
type change struct {
	event *Event
	// removed is the directory that the event took away, with all that was
	// below it; nil for any other event.
	removed *Node
}

// Result is the outcome of one command: an event, or an error. A sweep has
// neither.
type Result struct {
	Event *Event
	Err   *Error
}

// New makes an empty tree that remembers the last historySize events.
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

// View is the tree as of the last batch.
func (s *Store) View() *View { return s.published.Load() }

// Apply does the commands of one batch in their order, as of now (nanoseconds
// since 1970, from the log), and publishes the new tree. The results are in
// the order of the commands. Watchers are woken by Notify, so that the
// callers who wait for these results come first.
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

// Notify wakes the watchers that the batches applied since the last call
// concern. It is to be called after each Apply, on the same goroutine.
func (s *Store) Notify() {
	s.hub.notify(s.unwoken)
	clear(s.unwoken)
	s.unwoken = s.unwoken[:0]
}

// Replace makes the tree what from is, which came from another member's
// checkpoint and must not be used any more. Events may lie between the two
// that this member never saw, so all open watchers end with an *Error with
// CodeWatcherCleared.
func (s *Store) Replace(from *Store) {
	s.root, s.index, s.counters = from.root, from.index, from.counters
	s.changes = changes{since: from.index}
	s.epoch = max(s.epoch, from.epoch) // no later batch may take from's directories for its own
	s.unwoken = nil
	s.history.replace(from.history)
	s.publish()
	s.hub.loseAll()
}

func (s *Store) publish() {
	for _, c := range s.batch {
		s.history.add(c.event)
	}
	s.unwoken = append(s.unwoken, s.batch...)
	clear(s.batch)
	s.batch = s.batch[:0]
	all := s.root.directory()
	s.published.Store(&View{
		root:     s.root,
		index:    s.index,
		oldest:   s.history.oldest(s.index),
		nodes:    all.nodes,
		bytes:    all.bytes,
		due:      all.firstDue().at,
		counters: s.counters,
	})
}
