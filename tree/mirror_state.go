package tree

// mirrored is the state of a cluster that follows a running etcd, or has followed one. It never changes.
type mirrored struct {
	mirror *Mirror // nil after the end
}
