package raft

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/raft/pace"
	"pando/raft/transport"
)

// roster says who counts as a member towards the transport: whom the applied log
// names, and whom it is going to name. A member that was away learns of those that came
// meanwhile only from a leader, which may be one of them. So when somebody unknown
// calls, the members that are known are asked whether it is one, at their own URLs.
type roster struct {
	registry *members.Registry
	self     members.ID
	client   *http.Client
	contacts func(ctx context.Context) []string
	changed  func() // tells that somebody was learned of
	log      *zap.Logger
	ctx      context.Context
	cancel   context.CancelFunc

	mu    sync.Mutex
	ahead map[members.ID]members.Member // not named by the applied log yet
	asked time.Time                     // when the others were asked last
	told  pace.Pace                     // that nobody could say who a stranger is
	tasks sync.WaitGroup
}

// The pause between two inquiries, and how long one may take.
const (
	inquiryPause   = 500 * time.Millisecond
	inquiryTimeout = time.Second
)

// newRoster begins with the members that the flags name, and those at the end of the
// log that the disk holds: the entries that brought them may not be committed yet.
func newRoster(cfg Config, changed func()) *roster {
	ctx, cancel := context.WithCancel(context.Background())
	r := &roster{
		registry: cfg.Registry, self: members.ID(cfg.Recovered.Identity.MemberID),
		client: cfg.PeerClient, contacts: cfg.Contacts, changed: changed, log: cfg.Logger, ctx: ctx, cancel: cancel,
		ahead: map[members.ID]members.Member{},
	}
	// An entry that can't be understood is told of when it is to be applied.
	last, _ := LastMembers(cfg.Recovered)
	for _, m := range slices.Concat(cfg.Bootstrap, cfg.Peers, last) {
		r.ahead[m.ID] = m
	}
	return r
}

// close ends the inquiry under way, and all to come.
func (r *roster) close() {
	r.mu.Lock()
	r.cancel()
	r.mu.Unlock()
	r.tasks.Wait()
}

// membership says what a member is to the cluster.
func (r *roster) membership(id members.ID) transport.Membership {
	if r.registry.Removed(id) {
		return transport.Removed
	}
	if _, known := r.registry.Get(id); known {
		return transport.Current
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.ahead[id]; known {
		return transport.Current
	}
	return transport.Unknown
}

// peers are the members to talk to.
func (r *roster) peers() []members.Member {
	peers := r.registry.List()
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, m := range r.ahead {
		if _, known := r.registry.Get(id); known || r.registry.Removed(id) {
			delete(r.ahead, id)
			continue
		}
		peers = append(peers[:len(peers):len(peers)], m)
	}
	return peers
}

// inquire asks the others who the members are, because somebody unknown has called, unless
// that was done a moment ago. Who was refused comes again.
func (r *roster) inquire(stranger members.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) < inquiryPause || r.ctx.Err() != nil {
		return
	}
	r.asked = time.Now()
	r.tasks.Go(func() {
		if r.learn(r.ask()) {
			r.changed()
		}
		if r.membership(stranger) == transport.Unknown {
			r.logStranger(stranger)
		}
	})
}

// tellStranger says, more and more rarely, that somebody calls whom no known member names.
// If all members that this one knows were replaced while it was away, only the flags can
// name those of today.
func (r *roster) logStranger(id members.ID) {
	r.mu.Lock()
	due := r.ctx.Err() == nil && r.told.Due(time.Now())
	r.mu.Unlock()
	if due {
		r.log.Warn("an unknown member calls, and no member that is known here names it: it is refused. If members were replaced "+
			"while this one was away, name those of today in --initial-cluster, and start it again", zap.Stringer("from", id))
	}
}

// learn takes members that others have named, and reports whether one is new here.
func (r *roster) learn(named []members.Member) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	learned := false
	for _, m := range named {
		_, applied := r.registry.Get(m.ID)
		_, known := r.ahead[m.ID]
		if !applied && !known && !r.registry.Removed(m.ID) {
			r.ahead[m.ID] = m
			learned = true
		}
	}
	return learned
}

// ask asks all members at once. What one of this cluster says is enough.
func (r *roster) ask() []members.Member {
	ctx, cancel := context.WithTimeout(r.ctx, inquiryTimeout)
	defer cancel()
	var urls []string
	if r.contacts != nil {
		urls = slices.Clone(r.contacts(ctx))
	}
	for _, m := range r.peers() {
		if m.ID != r.self {
			urls = append(urls, m.PeerURLs...)
		}
	}
	slices.Sort(urls)
	urls = slices.Compact(urls)
	answers := make(chan []members.Member, len(urls))
	for _, url := range urls {
		go func() {
			remote, err := members.Ask(ctx, r.client, url)
			if err != nil || remote.ClusterID != r.registry.ClusterID() {
				remote.Members = nil
			}
			answers <- remote.Members
		}()
	}
	var named []members.Member
	for range urls {
		named = append(named, <-answers...)
	}
	return named
}
