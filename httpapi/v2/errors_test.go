package v2

import (
	"errors"
	"fmt"
	"testing"

	"pando/httpapi/budget"
	"pando/httpapi/stream"
	"pando/stats"
	"pando/tree"
)

func TestWatchOutcomes(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want stats.Outcome
	}{
		{nil, stats.OK},
		{tree.NewError(tree.CodeHistoryCleared, ""), stats.IndexCleared},
		{budget.ErrExhausted, stats.Unavailable},
		{stream.ErrClosed, stats.Unavailable},
		{stream.ErrStalled, stats.Canceled},
		{fmt.Errorf("%w: %w", stream.ErrClientGone, errors.New("broken pipe")), stats.Canceled},
	} {
		t.Run(fmt.Sprint(tc.err), func(t *testing.T) {
			if got := Outcome(tc.err); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
