// Package members holds the membership of a cluster: member IDs, the bootstrap of a new
// cluster (from flags, by discovery, from DNS records), and the registry, which changes
// when members are added and removed.
//
// The functions of the package may be called by any goroutine. Any goroutine may read a
// Registry, but only the one that applies the replicated log may change it; so the
// registries of all members are the same. The registry and the static bootstrap do no
// I/O and read no clock: their callers pass the time. Discovery, SRV and Ask use the
// network, before a server has data, and take a context.
//
// Invariants:
//   - The same flags give the same member and cluster IDs as etcd 3.4.
//   - The URLs of a Member are canonical (as ParseURLs returns them) and sorted.
//   - An ID that was removed is never used again in the same cluster.
//
// Files:
//
//	members.go             Member, and its JSON form in /v2/members
//	id.go                  ID, and how IDs are computed
//	urls.go                ParseURLs
//	registry.go            Registry: the membership of a running cluster
//	checkpoint.go          the form of a Registry in checkpoints and snapshots
//	bootstrap.go           Static: the first members from flags
//	discovery.go           Discovery: the first members from a key of a v2 keys API
//	discovery_requests.go  the requests to this key
//	srv.go                 SRV: the first members from DNS records
//	remote.go              Ask: the list of members of a running cluster
package members

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Member is one server of the cluster. Copies of a Member share its slices, which must
// not be modified.
type Member struct {
	// ID identifies the member. It stays the same when the URLs change.
	ID ID
	// PeerURLs are the URLs by which other members reach the member, canonical and sorted.
	PeerURLs []string
	// Name is a name for people. The name of an added member is empty until it has started.
	Name string
	// ClientURLs are the URLs by which clients reach the member, sorted. The list is empty
	// until the member has started.
	ClientURLs []string
	// Learner is set while the member receives the log but does not vote. /v2/members does
	// not show it.
	Learner bool
	// ManualPromotion is set while a learner gets its vote only on request. The leader promotes other
	// learners when they have caught up.
	ManualPromotion bool
}

// Started reports whether the member has published its name or its client URLs.
func (m Member) Started() bool { return m.Name != "" || len(m.ClientURLs) > 0 }

// wireMember is an item of /v2/members: the names and their order are the API.
type wireMember struct {
	ID         ID       `json:"id"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
}

// MarshalJSON writes the v2 form of an item of /v2/members:
//
//	{"id":"8e9e05c52164694d","name":"default","peerURLs":["..."],"clientURLs":["..."]}
//
// A member that has not started yet has an empty name and an empty, never null,
// list of client URLs. Learner and ManualPromotion are not part of this form.
func (m Member) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireMember{
		ID:         m.ID,
		Name:       m.Name,
		PeerURLs:   neverNil(m.PeerURLs),
		ClientURLs: neverNil(m.ClientURLs),
	})
}

// UnmarshalJSON reads the form that MarshalJSON writes. Learner is false after that. The
// URLs are not checked, because clients show what a server answers.
func (m *Member) UnmarshalJSON(data []byte) error {
	var w wireMember
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("members: decode a member: %w", err)
	}
	*m = Member{ID: w.ID, Name: w.Name, PeerURLs: w.PeerURLs, ClientURLs: w.ClientURLs}
	return nil
}

func neverNil(urls []string) []string {
	if urls == nil {
		return []string{}
	}
	return urls
}

// sortedCopy returns the URLs sorted, in a new slice.
func sortedCopy(urls []string) []string {
	c := slices.Clone(urls)
	slices.Sort(c)
	return c
}
