package migrate

import (
	"context"
	"errors"
	"time"
)

// lagInterval is the time between two looks at the members of the source that the reader does not use at the moment. A member that has
// not reached after this time what another member had before is left.
const lagInterval = 5 * time.Second

// errLags is returned by a reader whose member stays behind other members, because it is cut off from them or too slow. Such a member
// responds, and its stream is silent.
var errLags = errors.New("it stays behind another member")

// saw notes an index of the current member.
func (r *reader) saw(index uint64) {
	r.seen = max(r.seen, index)
	r.observer.sourceIndex(index)
}

// lookAtOthers sends the largest index of the members other than the current one to a channel, again and again until ctx ends.
func (r *reader) lookAtOthers(ctx context.Context, current int, indexes chan<- uint64) {
	for pause(ctx, r.lagInterval) == nil {
		largest := uint64(0)
		for i, m := range r.members {
			if i == current {
				continue
			}
			if p, err := lookAt(ctx, m); err == nil {
				largest = max(largest, p.Index)
			}
		}
		select {
		case <-ctx.Done():
		case indexes <- largest:
		}
	}
}

// checkLag returns errLags if the current member has not reached what the others had at the last call. index is what they have now.
func (r *reader) checkLag(ctx context.Context, m member, index uint64) error {
	before := r.others
	r.others = index
	r.observer.sourceIndex(index)
	if r.seen >= before {
		return nil
	}
	if err := r.look(ctx, m); err != nil { // the reader may have been busy for long
		return err
	}
	if r.seen < before {
		return errLags
	}
	return nil
}
