package members

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// Why a membership change was refused. The texts are those that /v2/members
// answers with; match with errors.Is and answer with the sentinel's own text.
var (
	// ErrIDExists: a member with this ID is in the cluster.
	ErrIDExists = errors.New("membership: ID exists")
	// ErrIDNotFound: no member with this ID is, or ever was, in the cluster.
	ErrIDNotFound = errors.New("membership: ID not found")
	// ErrIDRemoved: the member with this ID was removed, for good.
	ErrIDRemoved = errors.New("membership: ID removed")
	// ErrPeerURLExists: another member has one of the peer URLs.
	ErrPeerURLExists = errors.New("membership: peerURL exists")
	// ErrNotLearner: the member to promote has a vote already.
	ErrNotLearner = errors.New("membership: can only promote a learner member")
)

// Registry is the live membership. Any goroutine may read it and never waits:
// what it gets is one moment of the membership, published whole. The methods
// that change it (Add, Remove, UpdatePeerURLs, UpdateAttributes, Promote,
// SetFounding, Unmarshal) belong to the goroutine that applies the log; two at once would
// lose a change. A change that returns an error has changed nothing.
//
// Nothing is durable here: the registry is rebuilt from a checkpoint
// (Unmarshal) and the log behind it.
type Registry struct {
	clusterID ID
	published atomic.Pointer[membership]
}

// membership is one published moment. It never changes.
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

// Unfounded is the founding ID of a new cluster that has members already, and gets its
// own ID from its first leader.
const Unfounded ID = 1

// Founding returns what tells this cluster from others that were founded with the same
// flags: a random ID that its first leader gave it. It is zero for a cluster that has
// none, and Unfounded for one that is about to get it.
func (r *Registry) Founding() ID { return r.published.Load().founding }

// Founded returns the founding ID, and whether there is one.
func (r *Registry) Founded() (ID, bool) {
	id := r.Founding()
	return id, id > Unfounded
}

// SetFounding gives the cluster its founding ID, unless it has one.
func (r *Registry) SetFounding(id ID) {
	if _, founded := r.Founded(); !founded {
		v := *r.published.Load()
		v.founding = id
		r.published.Store(&v)
	}
}

// List returns the members, sorted by ID. The caller must not modify the slice
// nor the slices in it; they stay as they are for as long as the caller likes.
func (r *Registry) List() []Member { return r.published.Load().members }

// Get returns the member with this ID, and whether there is one.
func (r *Registry) Get(id ID) (Member, bool) {
	v := r.published.Load()
	if i, ok := v.find(id); ok {
		return v.members[i], true
	}
	return Member{}, false
}

// Removed says whether a member with this ID was in the cluster and has left it.
func (r *Registry) Removed(id ID) bool { return r.published.Load().wasRemoved(id) }

// ClientURLs returns the client URLs of all members in the order of
// /v2/machines: sorted as text over all members, and as often as members have
// them. The caller must not modify the slice.
func (r *Registry) ClientURLs() []string { return r.published.Load().clientURLs }

// Add brings a member in. Its URL slices are copied. The errors are ErrIDRemoved,
// ErrIDExists and ErrPeerURLExists.
func (r *Registry) Add(m Member) error {
	v := r.published.Load()
	if v.wasRemoved(m.ID) {
		return fmt.Errorf("%w: %s", ErrIDRemoved, m.ID)
	}
	at, exists := v.find(m.ID)
	if exists {
		return fmt.Errorf("%w: %s", ErrIDExists, m.ID)
	}
	if err := v.peerURLsFree(m.ID, m.PeerURLs); err != nil {
		return err
	}
	m.PeerURLs, m.ClientURLs = sortedCopy(m.PeerURLs), sortedCopy(m.ClientURLs)
	r.publish(slices.Insert(slices.Clone(v.members), at, m), v.removed, v.founding)
	return nil
}

// Remove takes a member out, for good. The errors are ErrIDRemoved and
// ErrIDNotFound.
func (r *Registry) Remove(id ID) error {
	v := r.published.Load()
	at, err := v.mustFind(id)
	if err != nil {
		return err
	}
	r.publish(slices.Delete(slices.Clone(v.members), at, at+1), insertID(v.removed, id), v.founding)
	return nil
}

// UpdatePeerURLs gives a member other peer URLs, which are copied. Its ID stays.
// The errors are ErrIDRemoved, ErrIDNotFound and ErrPeerURLExists.
func (r *Registry) UpdatePeerURLs(id ID, urls []string) error {
	v := r.published.Load()
	return r.change(id, func(m *Member) error {
		if err := v.peerURLsFree(id, urls); err != nil {
			return err
		}
		m.PeerURLs = sortedCopy(urls)
		return nil
	})
}

// UpdateAttributes records what a member says of itself when it starts; the
// client URLs are copied. The errors are ErrIDRemoved and ErrIDNotFound.
func (r *Registry) UpdateAttributes(id ID, name string, clientURLs []string) error {
	return r.change(id, func(m *Member) error {
		m.Name, m.ClientURLs = name, sortedCopy(clientURLs)
		return nil
	})
}

// HasAttributes reports whether the member is there, as UpdateAttributes with these
// would leave it.
func (r *Registry) HasAttributes(id ID, name string, clientURLs []string) bool {
	m, ok := r.Get(id)
	return ok && m.Name == name && slices.Equal(m.ClientURLs, sortedCopy(clientURLs))
}

// Promote gives a learner its vote. The errors are ErrIDRemoved, ErrIDNotFound
// and ErrNotLearner.
func (r *Registry) Promote(id ID) error {
	return r.change(id, func(m *Member) error {
		if !m.Learner {
			return fmt.Errorf("%w: %s", ErrNotLearner, id)
		}
		m.Learner = false
		return nil
	})
}

// change publishes the membership with one member edited.
func (r *Registry) change(id ID, edit func(*Member) error) error {
	v := r.published.Load()
	at, err := v.mustFind(id)
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

// publish makes the slices, which nobody may change any more, the membership.
func (r *Registry) publish(members []Member, removed []ID, founding ID) {
	var urls []string
	for _, m := range members {
		urls = append(urls, m.ClientURLs...)
	}
	slices.Sort(urls)
	r.published.Store(&membership{members: members, removed: removed, founding: founding, clientURLs: urls})
}

// find returns where the member is, or where it would be.
func (v *membership) find(id ID) (int, bool) {
	return slices.BinarySearchFunc(v.members, Member{ID: id}, byID)
}

func (v *membership) mustFind(id ID) (int, error) {
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

// peerURLsFree says whether no member but this one has any of the URLs.
func (v *membership) peerURLsFree(id ID, urls []string) error {
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

// insertID returns a new sorted slice with the ID in it.
func insertID(ids []ID, id ID) []ID {
	at, _ := slices.BinarySearch(ids, id)
	return slices.Insert(slices.Clone(ids), at, id)
}
