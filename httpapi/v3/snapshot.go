package v3

import (
	"crypto/sha256"
	"io"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/stats"
)

// snapshotChunk is the number of bytes of the file in one response. It is that of the reference.
const snapshotChunk = 32 << 10

// snapshot sends the state in the format of the reference's file, and at the end the SHA-256 of the file.
func (s *Server) snapshot(stream *Stream) error {
	ctx := stream.Context()
	if err := stream.RecvMsg(new(pb.SnapshotRequest)); err != nil {
		return err
	}
	file, size, err := s.cfg.Service.OpenBackend(ctx, sender(ctx))
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	for left := size; left > 0; {
		chunk := make([]byte, min(snapshotChunk, left)) // a new one: the response keeps it until it is sent
		if _, err := io.ReadFull(file, chunk); err != nil {
			return err
		}
		sum.Write(chunk)
		left -= int64(len(chunk))
		if err := stream.SendMsg(&pb.SnapshotResponse{RemainingBytes: uint64(left), Blob: chunk, Version: stats.V3APILevel}); err != nil {
			return err
		}
	}
	return stream.SendMsg(&pb.SnapshotResponse{Blob: sum.Sum(nil), Version: stats.V3APILevel})
}
