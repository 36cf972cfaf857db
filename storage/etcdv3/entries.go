package etcdv3

import (
	"encoding/json"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"pando/tree"
	"pando/tree/users"
)

// Source is the state from which a file is made.
type Source struct {
	// Log has the keys, the leases and the users.
	Log *tree.KeyLog
	// Members are the members of the cluster.
	Members []Member
	// Applied and Term are those of the last entry of the log that was applied.
	Applied, Term uint64
}

// formatVersion is the version of the format that is written. Etcd of this version and later ones read the file. So do etcd 3.4 and 3.5,
// which do not look for a version.
const formatVersion = "3.6.0"

// section is a bucket and its entries. each passes them to put in an order that depends on the source alone, and stops at the first error
// of put. put must not keep key or value, and each must not change them until put has returned.
type section struct {
	bucket string
	each   func(s *Source, put func(key, value []byte) error) error
}

// dataSections are the buckets that are equal on all members with the same state.
var dataSections = []section{
	{AlarmBucket, noEntries},
	{AuthBucket, authEntries},
	{AuthRolesBucket, roleEntries},
	{AuthUsersBucket, userEntries},
	{KeyBucket, keyEntries},
	{LeaseBucket, leaseEntries},
}

// clusterSections are the other buckets.
var clusterSections = []section{
	{ClusterBucket, clusterEntries},
	{MembersBucket, memberEntries},
	{MembersRemovedBucket, noEntries},
	{MetaBucket, metaEntries},
}

func noEntries(*Source, func(key, value []byte) error) error { return nil }

// keyEntries are the last change of each key that existed at the floor of the log, the deletions at the floor, and all changes after it.
func keyEntries(s *Source, put func(key, value []byte) error) error {
	var key, value []byte
	var err error
	write := func(r *tree.KeyRecord) bool {
		key, value = appendRecord(key[:0], value[:0], r)
		err = put(key, value)
		return err == nil
	}
	floor := s.Log.Floor()
	for r := range s.Log.Living(floor) {
		if !write(&r) {
			return err
		}
	}
	if floor > 0 && floor == s.Log.CompactRevision() {
		for r := range s.Log.Changes(floor-1, floor) {
			if r.Deleted && !write(&r) {
				return err
			}
		}
	}
	for r := range s.Log.Changes(floor, math.MaxInt64) {
		if !write(&r) {
			return err
		}
	}
	return nil
}

func leaseEntries(s *Source, put func(key, value []byte) error) error {
	for l := range s.Log.View().Leases() {
		if err := put(AppendNumber(nil, uint64(l.ID)), AppendLease(nil, &Lease{ID: l.ID, TTL: l.TTL})); err != nil {
			return err
		}
	}
	return nil
}

// authEntries are the auth switch and the revision of the users, which is 1 in a new cluster of etcd.
func authEntries(s *Source, put func(key, value []byte) error) error {
	state := s.Log.View().Users()
	if err := put([]byte(AuthEnabledKey), []byte{byte(protowire.EncodeBool(state.Enabled()))}); err != nil {
		return err
	}
	return put([]byte(AuthRevisionKey), AppendNumber(nil, state.Revision()+1))
}

// userEntries are the users. A hash of another kind than bcrypt is written unchanged: etcd accepts no password for it.
func userEntries(s *Source, put func(key, value []byte) error) error {
	for u := range s.Log.View().Users().Users() {
		stored := User{Name: u.Name, PasswordHash: u.PasswordHash, Roles: u.RolesV2(), NoPassword: u.PasswordHash == ""}
		if err := put([]byte(u.Name), AppendUser(nil, &stored)); err != nil {
			return err
		}
	}
	return nil
}

// roleEntries are the roles. The role root is written only if it is stored. It gives every access in etcd, too.
func roleEntries(s *Source, put func(key, value []byte) error) error {
	state := s.Log.View().Users()
	for r := range state.Roles() {
		stored := Role{Name: r.Name}
		if r.Name == users.Root && !state.HasRootRole() {
			continue
		}
		if r.Name != users.Root {
			stored.Permissions = permissions(r)
		}
		if err := put([]byte(r.Name), AppendRole(nil, &stored)); err != nil {
			return err
		}
	}
	return nil
}

func permissions(r *users.Role) []Permission {
	var list []Permission
	for _, p := range r.PermissionsV3() {
		key, end := p.Range.V3()
		access := ReadWriteAccess
		switch {
		case !p.Write:
			access = ReadAccess
		case !p.Read:
			access = WriteAccess
		}
		list = append(list, Permission{access, key, end})
	}
	return list
}

func clusterEntries(_ *Source, put func(key, value []byte) error) error {
	return put([]byte(ClusterVersionKey), []byte(formatVersion))
}

func memberEntries(s *Source, put func(key, value []byte) error) error {
	for i := range s.Members {
		value, err := AppendMember(nil, &s.Members[i])
		if err != nil {
			return err
		}
		if err := put([]byte(MemberKey(s.Members[i].ID)), value); err != nil {
			return err
		}
	}
	return nil
}

// confState is the JSON of a raftpb.ConfState.
type confState struct {
	Voters    []uint64 `json:"voters,omitempty"`
	Learners  []uint64 `json:"learners,omitempty"`
	AutoLeave bool     `json:"auto_leave"`
}

func metaEntries(s *Source, put func(key, value []byte) error) error {
	var conf confState
	for _, m := range s.Members {
		if m.Learner {
			conf.Learners = append(conf.Learners, m.ID)
		} else {
			conf.Voters = append(conf.Voters, m.ID)
		}
	}
	members, err := json.Marshal(&conf)
	if err != nil {
		return fmt.Errorf("the members: %w", err)
	}
	values := []struct {
		key   string
		value []byte
	}{
		{ConfStateKey, members},
		{ConsistentIndexKey, AppendNumber(nil, s.Applied)},
		{StorageVersionKey, []byte(formatVersion)},
		{TermKey, AppendNumber(nil, s.Term)},
	}
	for _, v := range values {
		if err := put([]byte(v.key), v.value); err != nil {
			return err
		}
	}
	if s.Log.IsComplete() {
		return nil
	}
	compacted := AppendRevision(nil, Revision{Main: int64(s.Log.Floor())})
	if err := put([]byte(FinishedCompactKey), compacted); err != nil {
		return err
	}
	return put([]byte(ScheduledCompactKey), compacted)
}
