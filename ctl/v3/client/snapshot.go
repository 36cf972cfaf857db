package client

import (
	"context"
	"errors"
	"io"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Snapshot writes the snapshot of the member to w: the database file of etcd, followed by its SHA-256. It returns the number of bytes
// and the version of the server's storage, which is empty if the server does not send it.
func (c *Client) Snapshot(ctx context.Context, w io.Writer) (size int64, version string, err error) {
	stream, err := c.Maintenance.Snapshot(ctx, &pb.SnapshotRequest{})
	if err != nil {
		return 0, "", err
	}
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return size, version, nil
		}
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return size, version, err
		}
		if part.Version != "" {
			version = part.Version
		}
		n, err := w.Write(part.Blob)
		size += int64(n)
		if err != nil {
			return size, version, err
		}
	}
}
