package members

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// ErrWrongCluster is returned for a checkpoint of another cluster.
var ErrWrongCluster = errors.New("membership: checkpoint of another cluster")

// savedRegistry is the form of the membership in a checkpoint.
type savedRegistry struct {
	ClusterID ID            `json:"clusterID"`
	Members   []savedMember `json:"members"`
	Removed   []ID          `json:"removed"`
	Founding  ID            `json:"founding,omitempty"` // missing in checkpoints of versions before 1.0
}

// savedMember is a member in a checkpoint. Unlike the form of /v2/members, it has Learner
// and ManualPromotion.
type savedMember struct {
	ID         ID       `json:"id"`
	Name       string   `json:"name,omitempty"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs,omitempty"`
	Learner    bool     `json:"learner,omitempty"`

	ManualPromotion bool `json:"manualPromotion,omitempty"`
}

// Marshal returns the membership for a checkpoint, with the removed IDs. The same
// membership gives the same bytes on every member. Any goroutine may call it. The caller
// owns the bytes.
func (r *Registry) Marshal() []byte {
	v := r.published.Load()
	saved := savedRegistry{
		ClusterID: r.clusterID,
		Members:   make([]savedMember, len(v.members)),
		Removed:   v.removed,
		Founding:  v.founding,
	}
	for i, m := range v.members {
		saved.Members[i] = saveMember(m)
	}
	if saved.Removed == nil {
		saved.Removed = []ID{}
	}
	// Marshal never fails: the value has only strings, numbers and booleans.
	data, _ := json.Marshal(saved)
	return data
}

// Unmarshal replaces the membership by one that Marshal returned. It returns an error
// that wraps ErrWrongCluster for the membership of another cluster. After an error the
// membership is unchanged. Unmarshal does not keep data.
func (r *Registry) Unmarshal(data []byte) error {
	var saved savedRegistry
	if err := json.Unmarshal(data, &saved); err != nil {
		return fmt.Errorf("members: decode the membership: %w", err)
	}
	if saved.ClusterID != r.clusterID {
		return fmt.Errorf("%w: it is of cluster %s, but this is cluster %s", ErrWrongCluster, saved.ClusterID, r.clusterID)
	}
	fresh := NewRegistry(r.clusterID)
	for _, m := range saved.Members {
		if err := fresh.Add(m.member()); err != nil {
			return fmt.Errorf("members: decode the membership: %w", err)
		}
	}
	slices.Sort(saved.Removed)
	removed := slices.Compact(saved.Removed)
	for _, id := range removed {
		if _, exists := fresh.Get(id); exists {
			return fmt.Errorf("members: decode the membership: %w: %s", ErrIDRemoved, id)
		}
	}
	r.publish(fresh.List(), removed, saved.Founding)
	return nil
}

func saveMember(m Member) savedMember {
	return savedMember{ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, Learner: m.Learner,
		ManualPromotion: m.ManualPromotion}
}

func (s savedMember) member() Member {
	return Member{ID: s.ID, Name: s.Name, PeerURLs: s.PeerURLs, ClientURLs: s.ClientURLs, Learner: s.Learner,
		ManualPromotion: s.ManualPromotion}
}
