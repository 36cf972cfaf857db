package migrate

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"pando/ctl/client"
	"pando/tree"
)

// MemberState is what one member of the target reports.
type MemberState struct {
	Name  string            `json:"name"`
	State *tree.MirrorState `json:"state,omitempty"`
	Error string            `json:"error,omitempty"` // why State is missing
}

// Status is the state of a migration.
type Status struct {
	Source        []string      `json:"source"`
	SourceIndex   uint64        `json:"sourceIndex"`
	Phase         string        `json:"phase"`
	Index         uint64        `json:"index"`
	Behind        uint64        `json:"behind"` // number of indexes
	ForwardWrites bool          `json:"forwardWrites"`
	Members       []MemberState `json:"members"`
}

// GetStatus asks the source and all members of the target. source may be nil if it is not known.
func GetStatus(ctx context.Context, source *Source, target *Target) (*Status, error) {
	state, err := target.State(ctx)
	if err != nil {
		return nil, err
	}
	s := &Status{Phase: state.Phase.String(), Index: state.Index, ForwardWrites: state.ForwardWrites, Source: state.Sources}
	if s.Members, err = target.memberStates(ctx); err != nil {
		return nil, err
	}
	if source == nil {
		return s, nil
	}
	s.Source = source.URLs()
	if s.SourceIndex, err = source.Index(ctx, true); err != nil {
		return nil, err
	}
	s.Behind = s.SourceIndex - min(s.Index, s.SourceIndex)
	return s, nil
}

// memberLimit is how long one member of the target may take to report its state.
const memberLimit = 2 * time.Second

// memberStates returns the states of all members of the target, in the order of their names.
func (t *Target) memberStates(ctx context.Context) ([]MemberState, error) {
	members, err := t.members(ctx)
	if err != nil {
		return nil, err
	}
	states := make([]MemberState, len(members))
	var group errgroup.Group
	for i, m := range members {
		group.Go(func() error {
			limited, cancel := context.WithTimeout(ctx, memberLimit)
			defer cancel()
			states[i].Name = m.name
			state, err := m.client.Mirror(limited)
			if err != nil {
				states[i].Error = client.OneLine(err)
				return nil
			}
			states[i].State = state
			return nil
		})
	}
	return states, group.Wait()
}
