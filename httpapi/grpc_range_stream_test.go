package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// TestRangeStream compares the merged responses of RangeStream with those of Range.
func TestRangeStream(t *testing.T) {
	f := newFixture(t, nil)
	_, conn := serveGRPC(t, f)
	kv := pb.NewKVClient(conn)
	put := func(key string, size int) {
		t.Helper()
		if _, err := kv.Put(t.Context(), &pb.PutRequest{Key: []byte(key), Value: []byte(strings.Repeat("x", size))}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 40 {
		put(fmt.Sprintf("/k/%02d", i), 50-i)
	}
	for i := range 3 {
		put(fmt.Sprintf("/large/%d", i), 700<<10)
	}
	for name, test := range map[string]struct {
		request *pb.RangeRequest
		chunks  int
	}{
		"all":       {&pb.RangeRequest{Key: []byte("/k/"), RangeEnd: []byte("/k0")}, 3},
		"limit":     {&pb.RangeRequest{Key: []byte("/k/"), RangeEnd: []byte("/k0"), Limit: 12}, 2},
		"revision":  {&pb.RangeRequest{Key: []byte("/k/"), RangeEnd: []byte("/k0"), Revision: 5}, 1},
		"keys only": {&pb.RangeRequest{Key: []byte("/large/"), RangeEnd: []byte("/large0"), KeysOnly: true}, 1},
		"count":     {&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, CountOnly: true}, 1},
		"by value":  {&pb.RangeRequest{Key: []byte("/k/"), RangeEnd: []byte("/k0"), SortTarget: pb.RangeRequest_VALUE}, 3},
		"large":     {&pb.RangeRequest{Key: []byte("/large/"), RangeEnd: []byte("/large0")}, 2},
		"none":      {&pb.RangeRequest{Key: []byte("/none")}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := kv.Range(t.Context(), test.request)
			got, chunks, streamErr := mergeRange(t.Context(), kv, test.request)
			if err != nil || streamErr != nil || !proto.Equal(got, want) || chunks != test.chunks {
				t.Errorf("%d responses (%v): %d files, %v, want %v, %v", chunks, streamErr, len(got.GetKvs()), got.GetHeader(), want.GetHeader(), err)
			}
		})
	}
	for name, test := range map[string]struct {
		request *pb.RangeRequest
		want    error
	}{
		"an empty key":      {&pb.RangeRequest{}, rpctypes.ErrGRPCEmptyKey},
		"an unknown order":  {&pb.RangeRequest{Key: []byte("a"), SortOrder: 7}, rpctypes.ErrGRPCInvalidSortOption},
		"a future revision": {&pb.RangeRequest{Key: []byte("a"), Revision: 1000}, rpctypes.ErrGRPCFutureRev},
		"descending": {&pb.RangeRequest{Key: []byte("a"), SortOrder: pb.RangeRequest_DESCEND},
			status.Error(codes.Unimplemented, "RangeStream does not support custom sort orders")},
		"a bound of the revisions": {&pb.RangeRequest{Key: []byte("a"), MinModRevision: 2},
			status.Error(codes.Unimplemented, "RangeStream does not support revision filters")},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := mergeRange(t.Context(), kv, test.request)
			expectStatus(t, err, test.want)
		})
	}
}

// mergeRange merges the responses of a RangeStream, and counts them.
func mergeRange(ctx context.Context, kv pb.KVClient, r *pb.RangeRequest) (merged *pb.RangeResponse, chunks int, err error) {
	stream, err := kv.RangeStream(ctx, r)
	if err != nil {
		return nil, 0, err
	}
	for merged = new(pb.RangeResponse); ; chunks++ {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return merged, chunks, nil
		}
		if err != nil {
			return nil, chunks, err
		}
		proto.Merge(merged, part.RangeResponse)
	}
}
