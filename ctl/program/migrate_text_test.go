package program

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pando/ctl/client"
	"pando/ctl/migrate"
)

// TestFailedSwitch fails in the last step, when no member responds. The error must not claim that nothing has changed.
func TestFailedSwitch(t *testing.T) {
	down := &client.ClusterError{Errs: []error{errors.New("connection refused")}}
	err := failedSwitch(fmt.Errorf("%w (%w)", migrate.ErrInDoubt, down))
	if !errors.Is(err, migrate.ErrInDoubt) || strings.Contains(err.Error(), "Nothing has changed") {
		t.Errorf("in doubt: %v", err)
	}
	if err := failedSwitch(down); !strings.Contains(err.Error(), "Nothing has changed") {
		t.Errorf("before the last step: %v", err)
	}
}
