package members

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// Errors of membership changes. /v2/members answers with the text of these values, not
// with that of the errors that wrap them.
var (
	// ErrIDExists: a member with this ID is in the cluster.
	ErrIDExists = errors.New("membership: ID exists")
	// ErrIDNotFound: the cluster never had a member with this ID.
	ErrIDNotFound = errors.New("membership: ID not found")
	// ErrIDRemoved: the member with this ID was removed.
	ErrIDRemoved = errors.New("membership: ID removed")
	// ErrPeerURLExists: another member has one of the peer URLs.
	ErrPeerURLExists = errors.New("membership: peerURL exists")
	// ErrTooManyLearners: another member with ManualPromotion is a learner.
	ErrTooManyLearners = errors.New("membership: too many learner members in cluster")
	// ErrNotLearner: the member to promote is not a learner.
	ErrNotLearner = errors.New("membership: can only promote a learner member")
)

// Reasons why a running cluster refuses a change of the membership.
var (
	// ErrNotEnoughMembers: the cluster would lose its quorum.
	ErrNotEnoughMembers = errors.New("re-configuration failed due to not enough started members")
	// ErrUnhealthy: too few members can be reached to change the membership.
	ErrUnhealthy = errors.New("unhealthy cluster: a quorum of the members must be reachable before members are changed")
	// ErrLearnerNotReady: the learner to promote has not caught up with the log.
	ErrLearnerNotReady = errors.New("membership: the learner has not caught up with the leader yet; try again later")
)

// Registry is the membership of a running cluster. Any goroutine may read it, without a
// lock: each read sees the membership between two changes. The methods that change it
// (Add, Remove, UpdatePeerURLs, UpdateAttributes, Promote, SetFounding, Unmarshal) may be
// called only by the goroutine that applies the log; two
// goroutines could lose a change. A change that returns an error has changed nothing.
//
// The registry is not durable: it is restored from a checkpoint (Unmarshal) and the log
// entries after it.
type Registry struct {
	clusterID ID
	published atomic.Pointer[membership]
}

// membership is the published state of a Registry. It never changes.
type membership struct {
	members    []Member // sorted by ID
	removed    []ID     // sorted
	founding   ID
	clientURLs []string // of all members, sorted
}

// NewRegistry returns an empty registry of the given cluster.
func NewRegistry(clusterID ID) *Registry {
	r := &Registry{clusterID: clusterID}
	r.published.Store(&membership{})
	return r
}

// ClusterID returns the ID of the cluster. It never changes.
func (r *Registry) ClusterID() ID { return r.clusterID }

// Unfounded is the founding ID of a new cluster until its first leader has chosen one.
const Unfounded ID = 1

// Founding returns the founding ID: a random number that the first leader chooses. It differs
// between clusters that were founded with the same flags. It is zero for a cluster of an older
// version, which has none, and Unfounded until the first leader has chosen one.
func (r *Registry) Founding() ID { return r.published.Load().founding }

// Founded returns the founding ID, and whether there is one.
func (r *Registry) Founded() (ID, bool) {
	id := r.Founding()
	return id, id > Unfounded
}

// SetFounding sets the founding ID if there is none.
func (r *Registry) SetFounding(id ID) {
	if _, founded := r.Founded(); !founded {
		v := *r.published.Load()
		v.founding = id
		r.published.Store(&v)
	}
}

// List returns the members, sorted by ID. The caller must not modify the slice or the
// slices in it. They never change.
func (r *Registry) List() []Member { return r.published.Load().members }

// Get returns the member with this ID, and whether there is one.
func (r *Registry) Get(id ID) (Member, bool) {
	v := r.published.Load()
	if i, ok := v.find(id); ok {
		return v.members[i], true
	}
	return Member{}, false
}

// Removed reports whether a member with this ID was removed from the cluster.
func (r *Registry) Removed(id ID) bool { return r.published.Load().wasRemoved(id) }

// ClientURLs returns the client URLs of all members, sorted as text, as /v2/machines shows
// them. A URL that several members have is there several times. The caller must not
// modify the slice.
func (r *Registry) ClientURLs() []string { return r.published.Load().clientURLs }

// Add adds a member. Its URL slices are copied. The errors are ErrIDRemoved, ErrIDExists,
// ErrPeerURLExists and, for a second learner with ManualPromotion, ErrTooManyLearners.
func (r *Registry) Add(m Member) error {
	v := r.published.Load()
	if v.wasRemoved(m.ID) {
		return fmt.Errorf("%w: %s", ErrIDRemoved, m.ID)
	}
	at, exists := v.find(m.ID)
	if exists {
		return fmt.Errorf("%w: %s", ErrIDExists, m.ID)
	}
	if err := v.checkPeerURLs(m.ID, m.PeerURLs); err != nil {
		return err
	}
	if m.ManualPromotion && slices.ContainsFunc(v.members, func(m Member) bool { return m.ManualPromotion }) {
		return ErrTooManyLearners
	}
	m.PeerURLs, m.ClientURLs = sortedCopy(m.PeerURLs), sortedCopy(m.ClientURLs)
	r.publish(slices.Insert(slices.Clone(v.members), at, m), v.removed, v.founding)
	return nil
}

// Remove removes a member. Its ID cannot be added again. The errors are ErrIDRemoved and
// ErrIDNotFound.
func (r *Registry) Remove(id ID) error {
	v := r.published.Load()
	at, err := v.lookUp(id)
	if err != nil {
		return err
	}
	r.publish(slices.Delete(slices.Clone(v.members), at, at+1), insertID(v.removed, id), v.founding)
	return nil
}

// UpdatePeerURLs changes the peer URLs of a member; the slice is copied. The ID stays the
// same. The errors are ErrIDRemoved, ErrIDNotFound and ErrPeerURLExists.
func (r *Registry) UpdatePeerURLs(id ID, urls []string) error {
	v := r.published.Load()
	return r.change(id, func(m *Member) error {
		if err := v.checkPeerURLs(id, urls); err != nil {
			return err
		}
		m.PeerURLs = sortedCopy(urls)
		return nil
	})
}

// UpdateAttributes sets the name and the client URLs of a member, which it publishes when
// it starts; the slice is copied. The errors are ErrIDRemoved and ErrIDNotFound.
func (r *Registry) UpdateAttributes(id ID, name string, clientURLs []string) error {
	return r.change(id, func(m *Member) error {
		m.Name, m.ClientURLs = name, sortedCopy(clientURLs)
		return nil
	})
}

// HasAttributes reports whether there is a member with this ID, name and client URLs.
func (r *Registry) HasAttributes(id ID, name string, clientURLs []string) bool {
	m, ok := r.Get(id)
	return ok && m.Name == name && slices.Equal(m.ClientURLs, sortedCopy(clientURLs))
}

// Promote makes a learner a voter. The errors are ErrIDRemoved, ErrIDNotFound and
// ErrNotLearner.
func (r *Registry) Promote(id ID) error {
	return r.change(id, func(m *Member) error {
		if !m.Learner {
			return fmt.Errorf("%w: %s", ErrNotLearner, id)
		}
		m.Learner, m.ManualPromotion = false, false
		return nil
	})
}

// change publishes the membership after edit has changed one member.
func (r *Registry) change(id ID, edit func(*Member) error) error {
	v := r.published.Load()
	at, err := v.lookUp(id)
	if err != nil {
		return err
	}
	m := v.members[at]
	if err := edit(&m); err != nil {
		return err
	}
	changed := slices.Clone(v.members)
	changed[at] = m
	r.publish(changed, v.removed, v.founding)
	return nil
}

// publish publishes a membership of these slices. Callers must not change them after that.
func (r *Registry) publish(members []Member, removed []ID, founding ID) {
	var urls []string
	for _, m := range members {
		urls = append(urls, m.ClientURLs...)
	}
	slices.Sort(urls)
	r.published.Store(&membership{members: members, removed: removed, founding: founding, clientURLs: urls})
}

// find returns the place of a member, and whether the member exists. If it does not exist,
// the place is the one at which to insert it.
func (v *membership) find(id ID) (int, bool) {
	return slices.BinarySearchFunc(v.members, Member{ID: id}, byID)
}

// lookUp returns the place of a member, or ErrIDRemoved or ErrIDNotFound.
func (v *membership) lookUp(id ID) (int, error) {
	if at, ok := v.find(id); ok {
		return at, nil
	}
	if v.wasRemoved(id) {
		return 0, fmt.Errorf("%w: %s", ErrIDRemoved, id)
	}
	return 0, fmt.Errorf("%w: %s", ErrIDNotFound, id)
}

func (v *membership) wasRemoved(id ID) bool {
	_, ok := slices.BinarySearch(v.removed, id)
	return ok
}

// checkPeerURLs returns an error if a member other than id has one of the URLs.
func (v *membership) checkPeerURLs(id ID, urls []string) error {
	for _, m := range v.members {
		if m.ID == id {
			continue
		}
		for _, u := range urls {
			if slices.Contains(m.PeerURLs, u) {
				return fmt.Errorf("%w: member %s has %s", ErrPeerURLExists, m.ID, u)
			}
		}
	}
	return nil
}

// insertID returns a new sorted slice with ids and id.
func insertID(ids []ID, id ID) []ID {
	at, _ := slices.BinarySearch(ids, id)
	return slices.Insert(slices.Clone(ids), at, id)
}
