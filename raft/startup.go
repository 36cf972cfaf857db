package raft

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"pando/members"
)

// startup opens the node to requests when two conditions hold: the tree has everything that was committed before the
// start, and the list of members has this member's name and client URLs, so that a client which asks for the members at
// once finds this one. It publishes name and client URLs by an entry.
//
// Only the goroutine that has the turn may use it.
type startup struct {
	state    *logState
	raft     dataProposer
	registry *members.Registry
	readers  *readQueue
	log      *zap.Logger
	name     string
	urls     []string // for clients
	ready    chan struct{}

	caughtUp bool // the tree has all entries that were committed before the start
	serves   bool // ready is closed
	// firstRead is the read by which a follower finds out that it has caught up; nil while none is in progress.
	firstRead chan error
	publish   *deadline
}

// dataProposer puts an entry into the log. The entry may get lost, so callers must propose again if it is not applied.
type dataProposer interface {
	Propose(data []byte) error
}

// publishPause is the pause between two attempts to publish name and client URLs.
const publishPause = time.Second

func newStartup(cfg *Config, state *logState, raft dataProposer, readers *readQueue, ready chan struct{}, d *deadlines) *startup {
	s := &startup{
		state: state, raft: raft, registry: cfg.Registry, readers: readers, log: cfg.Logger,
		name: cfg.Name, urls: cfg.ClientURLs, ready: ready,
	}
	s.publish = d.add(func(time.Time) { s.publishAttributes() })
	return s
}

// update checks the conditions. Callers must call it after each change of the leader and after each apply.
func (s *startup) update() {
	leads := s.state.leads() && s.state.appliedTerm == s.state.term.Load()
	s.state.localReads.Store(leads && s.state.alone())
	if s.serves || !s.state.hasLeader() {
		return
	}
	if !s.caughtUp && (leads || !s.state.leads() && s.firstReadDone()) {
		s.caughtUp = true
		s.publishAttributes()
	}
	if s.caughtUp && s.published() {
		s.serves = true
		close(s.ready)
	}
}

// firstReadDone begins the node's own first read, and reports whether the leader has confirmed it and the tree has applied
// its index. After a failure the next call begins another read. A leader needs no read: it has caught up when the first entry
// of its term is applied.
func (s *startup) firstReadDone() bool {
	if _, member := s.registry.Get(s.state.id); !member {
		return false
	}
	if s.firstRead == nil {
		s.firstRead = make(chan error, 1)
		_ = s.readers.add(s.firstRead) // an error means that the node ends
	}
	select {
	case err := <-s.firstRead:
		s.firstRead = nil
		return err == nil
	default:
		return false
	}
}

// publishAttributes proposes this member's name and client URLs unless the list of members has them, and sets the time of
// the next attempt.
func (s *startup) publishAttributes() {
	s.publish.set(time.Now().Add(publishPause))
	if _, member := s.registry.Get(s.state.id); !member || s.published() {
		return
	}
	data, err := encodeAttributes(attributes{ID: s.state.id, Name: s.name, ClientURLs: s.urls})
	if err == nil {
		err = s.raft.Propose(data)
	}
	if err != nil {
		s.log.Warn("this member's name and client URLs could not be published; trying again", zap.Error(err))
	}
}

// published reports whether the list of members has this member's name and client URLs.
func (s *startup) published() bool {
	return s.registry.HasAttributes(s.state.id, jsonText(s.name), s.urls)
}

// applyAttributes changes the list of members.
func (s *startup) applyAttributes(a attributes) error {
	err := s.registry.UpdateAttributes(a.ID, a.Name, a.ClientURLs)
	if errors.Is(err, members.ErrIDNotFound) || errors.Is(err, members.ErrIDRemoved) {
		s.log.Warn("name and client URLs of an unknown member ignored", zap.Stringer("member", a.ID))
		return nil
	}
	return err
}
