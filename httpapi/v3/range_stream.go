package v3

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/tree"
)

// The first response of a RangeStream has at most firstChunk files, so that the client gets it early. Each later one has at most twice as
// many as the one before it. A response ends after the file with which it reaches chunkBytes.
const (
	firstChunk = 10
	chunkBytes = 1 << 20
)

// The errors of a RangeStream that the reference does not serve either.
var (
	errStreamSort   = status.Error(codes.Unimplemented, "RangeStream does not support custom sort orders")
	errStreamFilter = status.Error(codes.Unimplemented, "RangeStream does not support revision filters")
)

// rangeStream serves a stream of the method RangeStream. The files of all responses, in order, are those of the response of Range. All of
// them are of one state of the tree, even if the client reads slowly.
func (s *Server) rangeStream(stream *Stream) error {
	var r pb.RangeRequest
	if err := stream.RecvMsg(&r); err != nil {
		return err
	}
	q := rangeQuery(&r)
	if err := checkStream(q); err != nil {
		return err
	}
	if !s.cfg.Requests.Begin() {
		return rpctypes.ErrGRPCRequestTooManyRequests
	}
	ctx := stream.Context()
	result, revision, err := s.cfg.Service.RangeForStream(ctx, sender(ctx), q, consistency(r.Serializable))
	s.cfg.Requests.End() // a slow client must not count against the limit of requests
	if err != nil {
		return err
	}
	form := rangeForm(q)
	for most := firstChunk; ; most *= 2 {
		n := chunkLength(result.Nodes, form, most)
		if n == len(result.Nodes) {
			return stream.SendMsg(&lastRangeChunk{rangeReply{s.wireHeader(revision), result, form}})
		}
		if err := stream.SendMsg(&rangeChunk{result.Nodes[:n], form}); err != nil {
			return err
		}
		result.Nodes = result.Nodes[n:]
	}
}

// checkStream returns an error if a query is not valid, or not for a stream.
func checkStream(q *tree.RangeQuery) error {
	if err := q.Check(); err != nil {
		return err
	}
	switch {
	case q.Order == tree.SortDescending, q.Order == tree.SortAscending && q.Sort != tree.SortByKey:
		return errStreamSort
	case q.MinMod != 0, q.MaxMod != 0, q.MinCreate != 0, q.MaxCreate != 0:
		return errStreamFilter
	}
	return nil
}

// chunkLength returns the number of files at the beginning of a list that the next response has: most, or fewer.
func chunkLength(nodes []*tree.Node, form fileForm, most int) int {
	size := 0
	for i, n := range nodes[:min(most, len(nodes))] {
		if size += sizeFile(n, form); size >= chunkBytes {
			return i + 1
		}
	}
	return min(most, len(nodes))
}

// rangeResponseField is the number of the only field of etcdserverpb.RangeStreamResponse.
const rangeResponseField = 1

// rangeChunk is a RangeStreamResponse that others follow. It has files alone.
type rangeChunk struct {
	nodes []*tree.Node
	form  fileForm
}

// Size returns the number of bytes that AppendTo appends.
func (r *rangeChunk) Size() int {
	return sizeMessage(rangeResponseField, sizeFiles(2, r.nodes, r.form))
}

// AppendTo appends the wire form.
func (r *rangeChunk) AppendTo(b []byte) []byte {
	b = appendHead(b, rangeResponseField, sizeFiles(2, r.nodes, r.form))
	for _, n := range r.nodes {
		b = appendFile(b, 2, n, r.form)
	}
	return b
}

// lastRangeChunk is the last RangeStreamResponse of a stream.
type lastRangeChunk struct{ rangeReply }

// Size returns the number of bytes that AppendTo appends.
func (r *lastRangeChunk) Size() int { return sizeMessage(rangeResponseField, r.rangeReply.Size()) }

// AppendTo appends the wire form.
func (r *lastRangeChunk) AppendTo(b []byte) []byte {
	return r.rangeReply.AppendTo(appendHead(b, rangeResponseField, r.rangeReply.Size()))
}
