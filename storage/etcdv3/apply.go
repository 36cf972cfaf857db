package etcdv3

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"pando/storage/wire"
	"pando/tree"
	"pando/tree/users"
)

// Applier applies v3 requests of etcd's log to an imported tree: the requests after the last one that is in the file. Etcd writes its file
// from time to time. After etcd was killed, the file may lack requests that were acknowledged.
type Applier struct {
	store        *tree.Store
	keys         *tree.KeyImporter // finds clashes with the keys of v2
	authRevision uint64            // as etcd counts it
	alarms       []Alarm
	// Requests is the number of applied requests, including those that changed nothing.
	Requests int
}

// NewApplier returns an Applier for the tree into which a file was imported.
func NewApplier(s *tree.Store, f *File, keys *tree.KeyImporter) *Applier {
	return &Applier{store: s, keys: keys, authRevision: f.AuthRevision, alarms: slices.Clone(f.Alarms)}
}

// errInexact is the end of each error of Apply for a request that is intact, but whose result can't be computed.
var errInexact = errors.New("start etcd with this directory once more, stop it with SIGTERM and import then: " +
	"etcd writes the result of all requests to its file when it stops")

// Apply applies a request: an etcdserverpb.InternalRaftRequest. A request that etcd refused changes nothing, and is no error. After a
// clash with a key of v2 the tree is not complete: see Clash.
func (a *Applier) Apply(message []byte) error {
	r, err := parseRequest(message)
	switch {
	case errors.Is(err, wire.ErrMalformed):
		return fmt.Errorf("a v3 request: %w", err)
	case err != nil:
		return fmt.Errorf("%w; %w", err, errInexact)
	}
	if r.command == nil && r.change == nil && r.alarm == nil {
		return nil
	}
	a.Requests++
	if r.alarm != nil {
		a.setAlarm(r.alarm)
		return nil
	}
	switch allowed, err := a.allows(&r); {
	case err != nil:
		return err
	case !allowed:
		return nil
	case r.change != nil:
		return a.changeUsers(&r)
	}
	return a.execute(r.command)
}

// Clash returns a *ClashError if a request has written a key that can't lie beside the keys of v2, and otherwise nil.
func (a *Applier) Clash() error {
	if c := a.keys.Clashes(); c.Changes > 0 {
		return &ClashError{c}
	}
	return nil
}

func (a *Applier) setAlarm(r *alarmRequest) {
	a.alarms = slices.DeleteFunc(a.alarms, func(old Alarm) bool { return old == r.Alarm && r.action != 0 })
	if r.action == raiseAlarm {
		a.alarms = append(a.alarms, r.Alarm)
	}
}

func (a *Applier) hasAlarm(kind AlarmKind) bool {
	return slices.ContainsFunc(a.alarms, func(one Alarm) bool { return one.Kind == kind })
}

// execute applies a command whose sender has the rights to it.
func (a *Applier) execute(c *tree.Command) error {
	if a.hasAlarm(AlarmCorrupt) || a.hasAlarm(AlarmNoSpace) && needsSpace(c) {
		return nil
	}
	if err := c.CheckKV(math.MaxInt); err != nil && (c.Op == tree.OpPut || c.Op == tree.OpDeleteRange || c.Op == tree.OpKV) {
		return fmt.Errorf("the request can't be applied: %w", err)
	}
	if a.findClashes(c); a.Clash() != nil {
		return nil
	}
	if a.overlapsV2(c) {
		return fmt.Errorf("the request reads or removes a range of keys in which v2 has keys, too; %w", errInexact)
	}
	if a.store.View().Users().Enabled() {
		c.AuthRevision = a.store.View().Users().Revision()
	}
	return a.apply(c)
}

// apply applies a command to the tree. If the tree refuses it, etcd has refused it, too.
func (a *Applier) apply(c *tree.Command) error {
	result := a.store.Apply(0, []tree.Command{*c})[0]
	a.store.Announce()
	if err := result.Err; err != nil && (err.Code == tree.CodeRaftInternal || err.Code == tree.CodeAuthChanged) {
		return fmt.Errorf("the request can't be applied: %w", err)
	}
	return nil
}

// needsSpace reports whether etcd refuses a command while the alarm NOSPACE is raised.
func needsSpace(c *tree.Command) bool {
	isPut := func(o tree.KVOp) bool { return o.Kind == tree.KVPut }
	switch c.Op {
	case tree.OpPut, tree.OpLeaseGrant:
		return true
	case tree.OpKV:
		return slices.ContainsFunc(c.KV.Then, isPut) || slices.ContainsFunc(c.KV.Else, isPut)
	}
	return false
}

// findClashes records the keys that a command may write and that clash with keys of v2.
func (a *Applier) findClashes(c *tree.Command) {
	switch c.Op {
	case tree.OpPut:
		a.keys.FindClash(c.Path)
	case tree.OpKV:
		a.findTxnClashes(c.KV)
	}
}

func (a *Applier) findTxnClashes(t *tree.KVTxn) {
	for _, list := range [...][]tree.KVOp{t.Then, t.Else} {
		for i := range list {
			switch o := &list[i]; o.Kind {
			case tree.KVPut:
				a.keys.FindClash(o.Key)
			case tree.KVNested:
				a.findTxnClashes(o.Txn)
			}
		}
	}
}

// overlapsV2 reports whether a command reads or removes ranges in which v2 has keys.
func (a *Applier) overlapsV2(c *tree.Command) bool {
	switch c.Op {
	case tree.OpDeleteRange:
		return a.keys.OverlapsV2(tree.KeyRange{From: c.Path, To: c.Value})
	case tree.OpKV:
		return a.txnOverlapsV2(c.KV)
	}
	return false
}

func (a *Applier) txnOverlapsV2(t *tree.KVTxn) bool {
	if slices.ContainsFunc(t.Compares, func(c tree.KVCompare) bool { return a.keys.OverlapsV2(c.KeyRange) }) {
		return true
	}
	overlaps := func(o tree.KVOp) bool {
		return o.Kind == tree.KVDeleteRange && a.keys.OverlapsV2(o.Keys) || o.Kind == tree.KVNested && a.txnOverlapsV2(o.Txn)
	}
	return slices.ContainsFunc(t.Then, overlaps) || slices.ContainsFunc(t.Else, overlaps)
}

// changeUsers applies a change of users, roles or the auth switch.
func (a *Applier) changeUsers(r *request) error {
	if r.change.Op == users.UserAdd && a.store.View().Users().User(r.change.Name) != nil {
		return nil // the user exists
	}
	if r.password {
		return fmt.Errorf("the log has the password of the user %q, but not the hash, which etcd makes with a random salt; %w",
			r.change.Name, errInexact)
	}
	before := a.store.View().Users()
	err := a.apply(&tree.Command{Op: tree.OpUsers, Change: r.change, AuthRevision: authRevision(before)})
	if after := a.store.View().Users(); after.Revision() != before.Revision() && r.change.Op != users.AuthEnable {
		a.authRevision++
	}
	return err
}

// authRevision returns the AuthRevision of a command that is authorized by the users.
func authRevision(u *users.State) uint64 {
	if u.Enabled() {
		return u.Revision()
	}
	return 0
}
