// Package members says who is in the cluster: member IDs, the bootstrap (from
// flags, by discovery, from the DNS), and the live registry that changes as
// members come and go.
//
// The functions of the package may be called from any goroutine. A Registry is
// read from any goroutine and changed by one alone, the one that applies the
// replicated log; that is what keeps every member's registry the same. The
// registry and the static bootstrap do no I/O and read no clock: what takes the
// time gets it from its caller. Discovery, SRV and Ask talk to the network
// before a server has data, and take a context for it.
//
// Invariants:
//   - The same flags give the same member and cluster IDs as etcd 3.4 gives.
//   - The URLs of a Member are canonical (as ParseURLs returns them) and sorted.
//   - An ID that was removed never comes back in the same cluster.
package members

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Member is one server of the cluster. It is passed by value; the slices are
// shared with whoever made it and must not be modified.
type Member struct {
	// ID identifies the member for its whole life, whatever its URLs become.
	ID ID
	// PeerURLs are where the other members reach it, canonical and sorted.
	PeerURLs []string
	// Name is the human's name for it, empty until an added member has started.
	Name string
	// ClientURLs are where clients reach it, sorted, empty until it has started.
	ClientURLs []string
	// Learner says that it receives the log and does not vote yet. The v2 wire
	// form has no field for it.
	Learner bool
}

// Started says whether the member has announced itself to the cluster.
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
// list of client URLs. Learner is not part of this form.
func (m Member) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireMember{
		ID:         m.ID,
		Name:       m.Name,
		PeerURLs:   neverNil(m.PeerURLs),
		ClientURLs: neverNil(m.ClientURLs),
	})
}

// UnmarshalJSON reads the form that MarshalJSON writes. It leaves Learner as
// false and takes the URLs as they are, without checking them: what a server
// says of its members is to be shown, not corrected.
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

// sortedCopy returns the URLs in order, in a slice of its own.
func sortedCopy(urls []string) []string {
	c := slices.Clone(urls)
	slices.Sort(c)
	return c
}
