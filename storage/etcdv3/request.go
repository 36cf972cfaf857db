package etcdv3

import (
	"fmt"
	"math"

	"pando/storage/wire"
	"pando/tree"
	"pando/tree/users"
)

// request is a v3 request in etcd's log (etcdserverpb.InternalRaftRequest). At most one of command, change and alarm is set. None is set
// for a request that changes nothing.
type request struct {
	user         string // the name of the sender; empty if auth was disabled
	authRevision uint64 // of the sender's token
	command      *tree.Command
	change       *users.Change
	password     bool // the change has a password instead of its hash
	admin        bool // the sender must have the role root
	alarm        *alarmRequest
}

// alarmRequest sets or clears an alarm.
type alarmRequest struct {
	action uint64
	Alarm
}

// The actions of an alarmRequest that change something.
const (
	raiseAlarm = 1
	clearAlarm = 2
)

// The fields of InternalRaftRequest that hold a request.
const (
	fieldPut             = 4
	fieldDeleteRange     = 5
	fieldTxn             = 6
	fieldCompaction      = 7
	fieldLeaseGrant      = 8
	fieldLeaseRevoke     = 9
	fieldAlarm           = 10
	fieldHeader          = 100
	fieldAuthEnable      = 1000
	fieldAuthDisable     = 1011
	fieldUserAdd         = 1100
	fieldUserDelete      = 1101
	fieldUserPassword    = 1103
	fieldUserGrantRole   = 1104
	fieldUserRevokeRole  = 1105
	fieldRoleAdd         = 1200
	fieldRoleDelete      = 1201
	fieldRolePermission  = 1203
	fieldRoleRevokeRange = 1204
)

// passive are the field numbers of requests that change no v3 data: ID, V2, range, lease_checkpoint, auth_status, authenticate,
// auth_user_get, auth_user_list, auth_role_list, auth_role_get, cluster_version_set, cluster_member_attr_set, downgrade_info_set.
var passive = map[uint64]bool{
	1: true, 2: true, 3: true, 11: true, 1012: true, 1013: true, 1102: true, 1106: true, 1107: true, 1202: true,
	1300: true, 1301: true, 1302: true,
}

// minTTL is the shortest time to live in seconds that etcd gives a lease, with its usual election timeout.
const minTTL = 2

// parseRequest decodes a request. The result shares no memory with the message. The error wraps wire.ErrMalformed, or names a request that
// this program can't apply.
func parseRequest(message []byte) (r request, err error) {
	err = wire.EachField(message, func(f wire.Field) (err error) {
		switch f.Num {
		case fieldHeader:
			return wire.EachField(f.Bytes, func(f wire.Field) error {
				switch f.Num {
				case 2:
					r.user = string(f.Bytes)
				case 3:
					r.authRevision = f.Number
				}
				return nil
			})
		case fieldAlarm:
			r.alarm, err = parseAlarmRequest(f.Bytes)
			return err
		case fieldPut, fieldDeleteRange, fieldTxn, fieldCompaction, fieldLeaseGrant, fieldLeaseRevoke:
			r.command, err = parseCommand(f)
			return err
		}
		if f.Num >= fieldAuthEnable && f.Num <= fieldRoleRevokeRange && !passive[uint64(f.Num)] {
			r.admin = true
			return r.parseChange(f)
		}
		if !passive[uint64(f.Num)] {
			return fmt.Errorf("this program can't apply requests with the field number %d", f.Num)
		}
		return nil
	})
	return r, err
}

func parseAlarmRequest(message []byte) (*alarmRequest, error) {
	r := new(alarmRequest)
	err := wire.EachField(message, func(f wire.Field) error {
		switch f.Num {
		case 1:
			r.action = f.Number
		case 2:
			r.MemberID = f.Number
		case 3:
			r.Kind = AlarmKind(f.Number)
		}
		return nil
	})
	return r, err
}

// parseCommand decodes a request that changes keys, leases or the history.
func parseCommand(f wire.Field) (c *tree.Command, err error) {
	c = new(tree.Command)
	switch f.Num {
	case fieldPut:
		var o tree.KVOp
		o, err = parsePut(f.Bytes)
		c.Op, c.Path, c.Value, c.Lease, c.PrevKV = tree.OpPut, o.Key, o.Value, o.Lease, o.PrevKV
		c.IgnoreValue, c.IgnoreLease = o.IgnoreValue, o.IgnoreLease
	case fieldDeleteRange:
		var o tree.KVOp
		o, err = parseDeleteRange(f.Bytes)
		c.Op, c.Path, c.Value, c.PrevKV = tree.OpDeleteRange, o.Keys.From, o.Keys.To, o.PrevKV
	case fieldTxn:
		c.Op = tree.OpKV
		c.KV, err = parseTxn(f.Bytes, 0)
	default:
		var numbers [3]uint64
		err = wire.EachField(f.Bytes, func(f wire.Field) error {
			if f.Num < 3 {
				numbers[f.Num] = f.Number
			}
			return nil
		})
		switch f.Num {
		case fieldCompaction:
			c.Op, c.Revision = tree.OpCompact, uint64(max(0, int64(numbers[1])))
		case fieldLeaseGrant:
			c.Op, c.TTL, c.Lease = tree.OpLeaseGrant, max(int64(numbers[1]), minTTL), int64(numbers[2])
		case fieldLeaseRevoke:
			c.Op, c.Leases = tree.OpLeaseRevoke, []int64{int64(numbers[1])}
		}
	}
	return c, err
}

func parsePut(message []byte) (o tree.KVOp, err error) {
	o.Kind = tree.KVPut
	err = wire.EachField(message, func(f wire.Field) error {
		switch f.Num {
		case 1:
			o.Key = string(f.Bytes)
		case 2:
			o.Value = string(f.Bytes)
		case 3:
			o.Lease = int64(f.Number)
		case 4:
			o.PrevKV = f.Number != 0
		case 5:
			o.IgnoreValue = f.Number != 0
		case 6:
			o.IgnoreLease = f.Number != 0
		}
		return nil
	})
	return o, err
}

func parseDeleteRange(message []byte) (o tree.KVOp, err error) {
	var key, end string
	err = wire.EachField(message, func(f wire.Field) error {
		switch f.Num {
		case 1:
			key = string(f.Bytes)
		case 2:
			end = string(f.Bytes)
		case 3:
			o.PrevKV = f.Number != 0
		}
		return nil
	})
	o.Kind, o.Keys = tree.KVDeleteRange, users.RangeV3(key, end)
	return o, err
}

// parseRange decodes the fields of a range that decide whether its transaction fails: the keys and the revision. The result of the range is
// not needed.
func parseRange(message []byte) (o tree.KVOp, err error) {
	var key, end string
	q := &tree.RangeQuery{CountOnly: true}
	err = wire.EachField(message, func(f wire.Field) error {
		switch f.Num {
		case 1:
			key = string(f.Bytes)
		case 2:
			end = string(f.Bytes)
		case 4:
			q.Revision = uint64(max(0, int64(f.Number)))
		}
		return nil
	})
	q.KeyRange = users.RangeV3(key, end)
	return tree.KVOp{Kind: tree.KVRange, Range: q}, err
}

// maxTxnDepth is the largest number of transactions within each other.
const maxTxnDepth = tree.DefaultMaxTxnOps

// parseTxn decodes a transaction. depth is the number of transactions around it.
func parseTxn(message []byte, depth int) (*tree.KVTxn, error) {
	if depth > maxTxnDepth {
		return nil, fmt.Errorf("%w: transactions are nested too deep", wire.ErrMalformed)
	}
	t := new(tree.KVTxn)
	err := wire.EachField(message, func(f wire.Field) error {
		if f.Num == 1 {
			c, err := parseCompare(f.Bytes)
			t.Compares = append(t.Compares, c)
			return err
		}
		o, err := parseOp(f.Bytes, depth)
		switch f.Num {
		case 2:
			t.Then = append(t.Then, o)
		case 3:
			t.Else = append(t.Else, o)
		}
		return err
	})
	return t, err
}

// parseOp decodes an operation of a transaction.
func parseOp(message []byte, depth int) (o tree.KVOp, err error) {
	err = wire.EachField(message, func(f wire.Field) (err error) {
		switch f.Num {
		case 1:
			o, err = parseRange(f.Bytes)
		case 2:
			o, err = parsePut(f.Bytes)
		case 3:
			o, err = parseDeleteRange(f.Bytes)
		case 4:
			o = tree.KVOp{Kind: tree.KVNested}
			o.Txn, err = parseTxn(f.Bytes, depth+1)
		}
		return err
	})
	return o, err
}

// parseCompare decodes a compare of a transaction.
func parseCompare(message []byte) (c tree.KVCompare, err error) {
	var key, end string
	err = wire.EachField(message, func(f wire.Field) error {
		switch f.Num {
		case 1:
			c.Result = tree.KVRelation(min(f.Number, math.MaxUint8))
		case 2:
			c.Target = tree.KVTarget(min(f.Number, math.MaxUint8))
		case 3:
			key = string(f.Bytes)
		case 4, 5, 6, 8:
			c.Number = int64(f.Number)
		case 7:
			c.Value = string(f.Bytes)
		case 64:
			end = string(f.Bytes)
		}
		return nil
	})
	c.KeyRange = users.RangeV3(key, end)
	return c, err
}
