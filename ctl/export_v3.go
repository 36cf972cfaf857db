package ctl

import (
	"context"
	"fmt"

	"pando/ctl/client"
	"pando/tree"
)

// exportedDirs are the keys of the directories in an export.
type exportedDirs map[string]bool

// warnOfV3 prints what only clients of the v3 API see, and what is therefore not in an export of the whole store. It prints nothing if
// there is nothing of this kind, and if the server has no v3 API.
func (p *program) warnOfV3(ctx context.Context, cl *client.Client, dirs exportedDirs) {
	found, ok := cl.FindV3Only(ctx, func(key string) bool { return !tree.ValidPath(key) || key == "/" || dirs[key] })
	if !ok {
		return
	}
	if found.Keys > 0 {
		fmt.Fprintf(p.stderr, "keys of the v3 API that the v2 API does not show, and that are not in the export: %d. "+
			"ETCDCTL_API=3 snapshot save has them\n", found.Keys)
	}
	if found.Leases > 0 {
		fmt.Fprintf(p.stderr, "leases of the v3 API, which are not in the export: %d. "+
			"The keys of a lease have no TTL in the export. ETCDCTL_API=3 snapshot save has the leases\n", found.Leases)
	}
}
