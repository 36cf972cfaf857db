package etcdv2

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"pando/storage/etcdv3"
	"pando/storage/wire"
	"pando/tree"
	"pando/tree/users"
)

// convert makes the tree of the data of v2. beside is the file of v3 whose keys the caller must add, or nil.
func (r *reader) convert(s *store, beside *etcdv3.File) (*tree.Store, error) {
	r.report.HasV2 = true
	t, err := convert(s, r.options.HistorySize, r.report, beside)
	if err != nil && !errors.Is(err, ErrClash) {
		err = fmt.Errorf("%w: %s: its files are intact, but the content can't be used: %w", ErrDamaged, r.options.DataDir, err)
	}
	return t, err
}

// addKeys adds the data of v3 to a tree: those of the file, and then the requests in the log that the file lacks.
func (r *reader) addKeys(t *tree.Store) error {
	r.report.V3 = &KeysReport{File: r.keys.Path()}
	into, err := importKeys(r.ctx, r.keys, t, r.report, r.progress)
	if err != nil {
		return r.adviseOnClash(err)
	}
	a := etcdv3.NewApplier(t, r.keys, into)
	for i := range r.after {
		e := &r.after[i]
		if err := a.Apply(e.data); err != nil {
			return fmt.Errorf("%w: %s, offset %d, entry %d: %w", errorKind(err), e.file, e.offset, e.index, err)
		}
		e.data = nil
	}
	if err := a.Clash(); err != nil {
		return r.adviseOnClash(err)
	}
	r.report.V3.Requests = a.Requests
	r.report.describeUsers(t.View().Users())
	return nil
}

// errorKind returns the kind of an error of an Applier.
func errorKind(err error) error {
	if errors.Is(err, wire.ErrMalformed) {
		return ErrDamaged
	}
	return ErrInexact
}

// adviseOnClash adds the next step of the operator to an error about a clash.
func (r *reader) adviseOnClash(err error) error {
	var clash *etcdv3.ClashError
	if !errors.As(err, &clash) {
		return err
	}
	return fmt.Errorf("%w: %s: %w: choose one side with --from-api %s or --from-api %s", ErrClash, r.options.DataDir, err, V2, V3)
}

// newKeysTree returns an empty tree with the users of a file of v3.
func newKeysTree(file *etcdv3.File, historySize int) (*tree.Store, error) {
	state, err := file.Users()
	if err != nil {
		return nil, err
	}
	l := tree.NewLoader(historySize)
	if err := l.ImportState(1, tree.Counters{}, state); err != nil { // the index of an empty tree
		return nil, err
	}
	return l.Finish()
}

// importKeys adds the keys of a file of v3 to a tree.
func importKeys(
	ctx context.Context, file *etcdv3.File, t *tree.Store, report *Report, progress func(bytes int64),
) (*tree.KeyImporter, error) {
	into, done, err := file.Import(ctx, t, progress)
	if err != nil {
		return nil, err
	}
	report.V3.Changes = done.Changes
	if done.Detached > 0 {
		report.note("%d keys were attached to leases that do not exist: they were detached, because etcd would never remove them", done.Detached)
	}
	for _, a := range file.Alarms {
		if a.Kind == etcdv3.AlarmCorrupt {
			report.note("member %x of etcd has raised the alarm CORRUPT: its data may differ from those of the other members", a.MemberID)
		}
	}
	return into, nil
}

// describe sets the fields that follow from the tree.
func (k *KeysReport) describe(v *tree.View) {
	k.Keys, k.Revision, k.Compacted, k.Leases = v.CountKeys(tree.KeyRange{}), v.Revision(), v.CompactRevision(), v.LeaseCount()
	if k.Leases == 0 {
		return
	}
	for n := range v.Keys(tree.KeyRange{}) {
		if n.Lease() != 0 {
			k.LeasedKeys++
		}
	}
}

// describeUsers counts the users and the roles, without the role root.
func (r *Report) describeUsers(u *users.State) {
	r.Users, r.Roles, r.AuthEnabled = 0, 0, u.Enabled()
	for range u.Users() {
		r.Users++
	}
	for role := range u.Roles() {
		if role.Name != users.Root {
			r.Roles++
		}
	}
}

// keysDigest returns the checksum of a state with data of v3. v2 is that of the data that v2 can see.
func keysDigest(s *tree.Store, v2 [sha256.Size]byte) (sum [sha256.Size]byte) {
	d := digester{hash: sha256.New()}
	delta := s.TakeAll()
	v := delta.View
	d.hash.Write(v2[:])
	d.bytes(v.AppendState(nil))
	d.bytes(v.Users().AppendHead(nil))
	for l := range v.Leases() {
		d.numbers(uint64(l.ID), uint64(l.TTL))
	}
	for n := range v.Keys(tree.KeyRange{}) {
		d.numbers(n.CreateRevision(), n.ModRevision(), n.Version(), n.Sub(), uint64(n.Lease()))
		d.bytes([]byte(n.Path()))
		d.bytes([]byte(n.Value()))
	}
	for e := range delta.Events.All() {
		d.bytes(tree.AppendEvent(nil, e))
	}
	d.hash.Sum(sum[:0])
	return sum
}

// bytes adds bytes after their length.
func (d *digester) bytes(b []byte) {
	d.numbers(uint64(len(b)))
	d.hash.Write(b)
}
