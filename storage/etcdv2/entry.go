package etcdv2

import (
	"fmt"

	"pando/storage/wire"

	"google.golang.org/protobuf/encoding/protowire"
)

// request is an operation on the v2 store: etcdserverpb.Request. The fields Wait, Since, Sorted, Quorum and Stream, which
// change nothing in the store, are left out.
type request struct {
	method     string
	path       string // with the namespace: /1/KEY
	value      string
	dir        bool
	prevValue  string
	prevIndex  uint64
	prevExist  *bool
	expiration int64 // nanoseconds since 1970; zero for a permanent node
	recursive  bool
	time       int64 // of a SYNC: nanoseconds since 1970
	refresh    bool
}

// The fields of Request.
const (
	requestID         protowire.Number = 1
	requestMethod     protowire.Number = 2
	requestPath       protowire.Number = 3
	requestValue      protowire.Number = 4
	requestDir        protowire.Number = 5
	requestPrevValue  protowire.Number = 6
	requestPrevIndex  protowire.Number = 7
	requestPrevExist  protowire.Number = 8
	requestExpiration protowire.Number = 9
	requestRecursive  protowire.Number = 12
	requestTime       protowire.Number = 15
	requestRefresh    protowire.Number = 17
	requestFields                      = 17
)

// The fields of InternalRaftRequest that matter here. ID is a varint, all others are messages. Those that are neither here nor below
// change data of v3.
const (
	internalID            protowire.Number = 1
	internalV2            protowire.Number = 2
	internalVersionSet    protowire.Number = 1300
	internalAttributesSet protowire.Number = 1301
)

// The fields of InternalRaftRequest that change nothing that is imported.
const (
	internalRange           protowire.Number = 3
	internalLeaseCheckpoint protowire.Number = 11
	internalHeader          protowire.Number = 100
	internalAuthenticate    protowire.Number = 1012
	internalDowngrade       protowire.Number = 1302
)

// command is what a normal entry of the log holds. At most one of its fields is set.
type command struct {
	request    *request
	version    string           // of the cluster, set by a v3 request
	attributes *memberAttribute // of a member, set by a v3 request
	v3         bool             // a change of data of v3: keys, leases, users or alarms
}

// memberAttribute is a change of a member's attributes by a v3 request.
type memberAttribute struct{ memberID uint64 }

// isRequest tells the two kinds of entries apart: it reports whether the data is a Request, and not an InternalRaftRequest.
//
// Every version of etcd writes all fields of a Request in the order of their numbers, each exactly once, whether they are set or
// not; only prevExist and refresh may be missing. So field 5, dir, is always there, as a varint. In an InternalRaftRequest field 5
// is a message (deleteRange) or missing. So no bytes are both. etcd itself tries one decoding after the other; which one it
// accepts depends on what is in the field method.
func isRequest(data []byte) bool {
	next := requestID
	err := wire.EachField(data, func(f wire.Field) error {
		if next == requestPrevExist && f.Num == requestExpiration {
			next = requestExpiration
		}
		if f.Num != next || f.Type != requestType(f.Num) {
			return wire.ErrMalformed
		}
		next++
		return nil
	})
	return err == nil && (next == requestRefresh || next == requestRefresh+1)
}

// requestType returns the type of a field of Request.
func requestType(num protowire.Number) protowire.Type {
	switch num {
	case requestMethod, requestPath, requestValue, requestPrevValue:
		return protowire.BytesType
	}
	return protowire.VarintType
}

// decodeCommand decodes the data of a normal entry.
func decodeCommand(data []byte) (command, error) {
	if isRequest(data) {
		r, err := decodeRequest(data)
		return command{request: r}, err
	}
	var c command
	var inner []byte // the V2 of the request
	err := wire.EachField(data, func(f wire.Field) error {
		want := protowire.BytesType
		if f.Num == internalID {
			want = protowire.VarintType
		}
		if f.Type != want {
			return wire.ErrMalformed
		}
		var err error
		switch f.Num {
		case internalV2:
			inner = f.Bytes
		case internalVersionSet:
			var version []byte
			err = wire.Scalars(f.Bytes, nil, map[protowire.Number]*[]byte{1: &version})
			c.version = string(version)
		case internalAttributesSet:
			c.attributes = new(memberAttribute)
			err = wire.Scalars(f.Bytes, map[protowire.Number]*uint64{1: &c.attributes.memberID}, nil)
		case internalID, internalRange, internalLeaseCheckpoint, internalHeader, internalAuthenticate, internalDowngrade:
		default:
			c.v3 = true
		}
		return err
	})
	if err == nil && inner != nil {
		if !isRequest(inner) {
			return command{}, fmt.Errorf("%w: a v3 request around something that is no v2 request", wire.ErrMalformed)
		}
		c.request, err = decodeRequest(inner)
	}
	if err != nil {
		return command{}, fmt.Errorf("%w: neither a v2 nor a v3 request", err)
	}
	return c, nil
}

// decodeRequest decodes a Request for which isRequest is true. It shares no memory with data.
func decodeRequest(data []byte) (*request, error) {
	r := new(request)
	err := wire.EachField(data, func(f wire.Field) error {
		switch f.Num {
		case requestMethod:
			r.method = string(f.Bytes)
		case requestPath:
			r.path = string(f.Bytes)
		case requestValue:
			r.value = string(f.Bytes)
		case requestDir:
			r.dir = f.Number != 0
		case requestPrevValue:
			r.prevValue = string(f.Bytes)
		case requestPrevIndex:
			r.prevIndex = f.Number
		case requestPrevExist:
			exist := f.Number != 0
			r.prevExist = &exist
		case requestExpiration:
			r.expiration = int64(f.Number)
		case requestRecursive:
			r.recursive = f.Number != 0
		case requestTime:
			r.time = int64(f.Number)
		case requestRefresh:
			r.refresh = f.Number != 0
		}
		return nil
	})
	return r, err
}

// entry is an entry of the log.
type entry struct {
	kind        uint64 // normalEntry, or the kind of another one
	term, index uint64
	data        []byte
	file        string // where the entry is, for errors
	offset      int64
	time        int64 // when it was applied, nanoseconds since 1970; see prepare
}

// The kinds of entries.
const (
	normalEntry     = 0
	confChangeEntry = 1
)

// decodeEntry decodes a raftpb.Entry. The data shares memory with message.
func decodeEntry(message []byte) (e entry, err error) {
	err = wire.Scalars(message, map[protowire.Number]*uint64{1: &e.kind, 2: &e.term, 3: &e.index}, map[protowire.Number]*[]byte{4: &e.data})
	return e, err
}

// hardState is a raftpb.HardState without the vote.
type hardState struct{ term, commit uint64 }

func decodeHardState(message []byte) (h hardState, err error) {
	err = wire.Scalars(message, map[protowire.Number]*uint64{1: &h.term, 3: &h.commit}, nil)
	return h, err
}

// position is the index and the term of an entry.
type position struct{ index, term uint64 }

// decodePosition decodes a walpb.Snapshot.
func decodePosition(message []byte) (p position, err error) {
	err = wire.Scalars(message, map[protowire.Number]*uint64{1: &p.index, 2: &p.term}, nil)
	return p, err
}

// prepare sets the times of entries. It returns the version of the cluster after them; version is the one before them.
//
// Only SYNC entries have a time. Each leader proposes one in half a second while a node has a TTL. So the time of an entry is
// that of the next SYNC, or else of the last one. It is zero if there is none at all.
func prepare(entries []entry, version string) string {
	last, decided := int64(0), false
	for i := len(entries) - 1; i >= 0; i-- {
		e := &entries[i]
		e.time = last
		if e.kind != normalEntry {
			continue
		}
		c, err := decodeCommand(e.data)
		if err != nil {
			continue // it is reported when it is applied
		}
		if c.request != nil && c.request.method == "SYNC" {
			last, e.time = c.request.time, c.request.time
		}
		if v := c.newVersion(); v != "" && !decided {
			version, decided = v, true
		}
	}
	for i := range entries {
		if entries[i].time == 0 && i > 0 {
			entries[i].time = entries[i-1].time
		}
	}
	return version
}

// newVersion returns the version of the cluster that a command sets; empty for none.
func (c *command) newVersion() string {
	if c.request != nil && c.request.path == versionKey && c.request.method == "PUT" {
		return c.request.value
	}
	return c.version
}
