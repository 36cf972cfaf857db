package program

import (
	"context"
	"fmt"
	"io"
	"os"

	"pando/ctl/v3"
	"pando/storage/etcdv2"
)

// restoreBackend makes the data directory of a new member from a snapshot file of etcd's v3 data: it is "snapshot restore" of the client
// of the v3 API. The new cluster has an ID that follows from the content, as after import-etcd.
func restoreBackend(ctx context.Context, w io.Writer, o v3.RestoreOptions) error {
	info, err := os.Stat(o.File)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory: give a file of snapshot save; pando import-etcd reads data directories of etcd", o.File)
	}
	i := importer{stdout: w, stderr: w, from: etcdv2.Options{DataDir: o.File, API: etcdv2.V3, SkipHashCheck: o.SkipHashCheck}}
	return i.run(ctx, o.Flags)
}
