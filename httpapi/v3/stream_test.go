package v3

import (
	"context"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

func TestLeaderWatch(t *testing.T) {
	var w leaderWatch
	one, endOne := context.WithCancelCause(t.Context())
	two, endTwo := context.WithCancelCause(t.Context())
	defer w.add(endOne)()
	w.add(endTwo)()
	w.endAll()
	if context.Cause(one) != rpctypes.ErrGRPCNoLeader {
		t.Errorf("the stream ends with %v", context.Cause(one))
	}
	if two.Err() != nil {
		t.Error("a stream that was removed ends")
	}
}
