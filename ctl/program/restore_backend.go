package program

import (
	"context"
	"fmt"
	"io"
	"os"

	"pando/storage/etcdv2"
)

// restoreBackend makes the data directory of a new member from a snapshot file of etcd's v3 data: it is "snapshot restore" of the client
// of the v3 API. The new cluster has an ID that follows from the content, as after import-etcd.
func restoreBackend(ctx context.Context, w io.Writer, file string, flags map[string]string, skipHash bool) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory: give a file of snapshot save; pando import-etcd reads data directories of etcd", file)
	}
	i := importer{stdout: w, stderr: w, from: etcdv2.Options{DataDir: file, API: etcdv2.V3, SkipHashCheck: skipHash}}
	return i.run(ctx, flags)
}
