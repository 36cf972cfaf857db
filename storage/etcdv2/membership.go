package etcdv2

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"

	"pando/storage/wire"

	"google.golang.org/protobuf/encoding/protowire"
)

// The keys of the members. They are not brought along, but they take indexes.
const (
	membersKey        = clusterSpace + "/members"
	removedMembersKey = clusterSpace + "/removed_members"
	raftAttributesKey = "raftAttributes"
	attributesKey     = "attributes"
)

// The types of a raftpb.ConfChange.
const (
	addNode        = 0
	removeNode     = 1
	updateNode     = 2
	addLearnerNode = 3
)

// maxLearners is the number of learners that etcd allows.
const maxLearners = 1

// memberContext is the context of a ConfChange.
type memberContext struct {
	PeerURLs  []string `json:"peerURLs"`
	IsLearner bool     `json:"isLearner,omitempty"`
	IsPromote bool     `json:"isPromote,omitempty"`
}

func memberKey(id uint64) string { return path.Join(membersKey, strconv.FormatUint(id, 16)) }

func removedMemberKey(id uint64) string {
	return path.Join(removedMembersKey, strconv.FormatUint(id, 16))
}

// memberIDAbove returns the ID in the key of a member's attributes.
func memberIDAbove(key string) (uint64, error) {
	id, err := strconv.ParseUint(path.Base(path.Dir(key)), 16, 64)
	if err != nil {
		return 0, fmt.Errorf("key %.80q: %w", key, errStopsEtcd)
	}
	return id, nil
}

// changeMembers carries out a ConfChange. etcd refuses some, and then they change nothing.
func (a *applier) changeMembers(data []byte) error {
	var kind, id uint64
	var context []byte
	err := wire.Scalars(data, map[protowire.Number]*uint64{2: &kind, 3: &id}, map[protowire.Number]*[]byte{4: &context})
	if err != nil {
		return fmt.Errorf("%w: a change of the membership", err)
	}
	known, err := a.members()
	if err != nil {
		return err
	}
	if n, _ := a.store.find(removedMemberKey(id)); n != nil {
		return nil // removed members never come back
	}
	if kind == removeNode {
		if _, ok := known[id]; ok {
			a.store.delete(memberKey(id), wholeDir)
			a.store.create(change{path: removedMemberKey(id)})
		}
		return nil
	}
	var m memberContext
	if err := json.Unmarshal(context, &m); err != nil {
		return fmt.Errorf("a change of the membership: %w: %w", err, errStopsEtcd)
	}
	if kind != addNode && kind != updateNode && kind != addLearnerNode {
		return fmt.Errorf("unknown type %d of a change of the membership", kind)
	}
	a.putMember(kind, id, m, known)
	return nil
}

// putMember adds, promotes or updates a member, unless etcd refuses it.
func (a *applier) putMember(kind, id uint64, m memberContext, known map[uint64]memberContext) {
	old, exists := known[id]
	switch {
	case m.IsPromote && kind != updateNode:
		if !exists || !old.IsLearner {
			return
		}
		old.IsLearner = false
		m, kind = old, updateNode
	case exists != (kind == updateNode):
		return
	case usesURL(known, id, m.PeerURLs), kind != updateNode && m.IsLearner && learners(known) >= maxLearners:
		return
	}
	m.IsPromote = false
	value, _ := json.Marshal(m) // never fails: two fields of plain types
	c := change{path: path.Join(memberKey(id), raftAttributesKey), value: string(value)}
	if kind == updateNode {
		a.store.update(c)
	} else {
		a.store.create(c)
	}
}

// usesURL reports whether another member has one of the peer URLs.
func usesURL(known map[uint64]memberContext, id uint64, urls []string) bool {
	for other, m := range known {
		if other != id && slices.ContainsFunc(urls, func(u string) bool { return slices.Contains(m.PeerURLs, u) }) {
			return true
		}
	}
	return false
}

func learners(known map[uint64]memberContext) int {
	n := 0
	for _, m := range known {
		if m.IsLearner {
			n++
		}
	}
	return n
}

// members returns the members that the model holds.
func (a *applier) members() (map[uint64]memberContext, error) {
	all := map[uint64]memberContext{}
	dir, _ := a.store.find(membersKey)
	if dir == nil {
		return all, nil
	}
	for name, n := range dir.children {
		id, err := strconv.ParseUint(name, 16, 64)
		if err != nil {
			return nil, fmt.Errorf("member %.80q: %w", name, errStopsEtcd)
		}
		var m memberContext
		if attributes := n.children[raftAttributesKey]; attributes != nil {
			err = json.Unmarshal([]byte(attributes.value), &m)
		}
		if err != nil {
			return nil, fmt.Errorf("member %s: %w: %w", name, err, errStopsEtcd)
		}
		all[id] = m
	}
	return all, nil
}

// setAttributes sets the attributes of a member. Their content is not kept.
func (a *applier) setAttributes(id uint64) error {
	if n, _ := a.store.find(memberKey(id)); n != nil {
		a.store.set(change{path: path.Join(memberKey(id), attributesKey)})
		return nil
	}
	if n, _ := a.store.find(removedMemberKey(id)); n != nil {
		return nil
	}
	return fmt.Errorf("attributes of the unknown member %x: %w", id, errStopsEtcd)
}
