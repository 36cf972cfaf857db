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

// roster decides which members the transport connects to: those that the applied log names, and those that it will name. A
// member that was down gets the entries that added new members from the leader. If the leader is a new member itself, it is
// unknown here. So when an unknown member opens a stream, this member asks the known members, at their own URLs, whether the
// unknown one is a member.
//
// Its methods may be called from any goroutine.
type roster struct {
	registry *members.Registry
	self     members.ID
	client   *http.Client
	contacts func(ctx context.Context) []string
	changed  func() // runs when another member named a new one
	log      *zap.Logger
	ctx      context.Context
	cancel   context.CancelFunc

	mu      sync.Mutex
	ahead   map[members.ID]members.Member // members that the applied log does not name yet
	asked   time.Time                     // when the members were asked last
	logPace pace.Pace                     // of lines about an unknown member that no member names
	tasks   sync.WaitGroup
}

const (
	inquiryPause   = 500 * time.Millisecond // between two inquiries
	inquiryTimeout = time.Second            // of an inquiry
)

// newRoster begins with the members that the flags name, and those that the whole recovered log names: the entries that
// added them may not be committed yet.
func newRoster(cfg Config, changed func()) *roster {
	ctx, cancel := context.WithCancel(context.Background())
	r := &roster{
		registry: cfg.Registry, self: members.ID(cfg.Recovered.Identity.MemberID),
		client: cfg.PeerClient, contacts: cfg.Contacts, changed: changed, log: cfg.Logger, ctx: ctx, cancel: cancel,
		ahead: map[members.ID]members.Member{},
	}
	// An entry that cannot be decoded is reported when it is to be applied.
	last, _ := LastMembers(cfg.Recovered)
	for _, m := range slices.Concat(cfg.Bootstrap, cfg.Peers, last) {
		r.ahead[m.ID] = m
	}
	return r
}

// close cancels the inquiry in progress, and prevents further ones.
func (r *roster) close() {
	r.mu.Lock()
	r.cancel()
	r.mu.Unlock()
	r.tasks.Wait()
}

// membership returns whether a member is current, removed or unknown.
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

// peerURLs returns the peer URLs of a member; nil if the ID is not that of a member.
func (r *roster) peerURLs(id members.ID) []string {
	if m, known := r.registry.Get(id); known {
		return m.PeerURLs
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ahead[id].PeerURLs
}

// peers returns the members that the transport connects to.
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

// inquire asks the known members for the list of members, after an unknown member was refused. It does nothing within
// inquiryPause after the last inquiry: the unknown member will try again.
func (r *roster) inquire(unknown members.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) < inquiryPause || r.ctx.Err() != nil {
		return
	}
	r.asked = time.Now()
	r.tasks.Go(func() {
		if r.addNamed(r.ask()) {
			r.changed()
		}
		if r.membership(unknown) == transport.Unknown {
			r.logUnknown(unknown)
		}
	})
}

// logUnknown logs, at growing intervals, that an unknown member opens streams and that no known member names it. If all
// members that this one knows were replaced while it was down, only the flags can name the present ones.
func (r *roster) logUnknown(id members.ID) {
	r.mu.Lock()
	due := r.ctx.Err() == nil && r.logPace.Due(time.Now())
	r.mu.Unlock()
	if due {
		r.log.Warn("an unknown member was refused, because no known member names it. If members were replaced "+
			"while this one was down, list the present ones in --initial-cluster, and start it again", zap.Stringer("from", id))
	}
}

// addNamed adds members that other members have named, and reports whether one of them is new.
func (r *roster) addNamed(named []members.Member) bool {
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

// ask asks all known members at once for the list of members. The answer of one member of this cluster is enough.
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
