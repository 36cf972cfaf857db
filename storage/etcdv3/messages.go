package etcdv3

import "pando/storage/wire"

// KeyValue is a value of the bucket key (mvccpb.KeyValue). That of a tombstone has the key alone.
type KeyValue struct {
	Key            string
	CreateRevision int64
	ModRevision    int64 // the Main of its Revision
	Version        int64
	Value          string
	Lease          int64 // 0: none
}

// AppendKeyValue appends the message as etcd encodes it, byte for byte: HashKV is a checksum of these bytes.
func AppendKeyValue(dst []byte, kv *KeyValue) []byte {
	dst = wire.AppendText(dst, 1, kv.Key)
	dst = wire.AppendInt(dst, 2, kv.CreateRevision)
	dst = wire.AppendInt(dst, 3, kv.ModRevision)
	dst = wire.AppendInt(dst, 4, kv.Version)
	dst = wire.AppendText(dst, 5, kv.Value)
	return wire.AppendInt(dst, 6, kv.Lease)
}

// ParseKeyValue is the reverse of AppendKeyValue. The result shares no memory with the message.
func ParseKeyValue(message []byte) (kv KeyValue, err error) {
	err = wire.EachField(message, func(f wire.Field) error {
		switch f.Num {
		case 1:
			kv.Key = string(f.Bytes)
		case 2:
			kv.CreateRevision = int64(f.Number)
		case 3:
			kv.ModRevision = int64(f.Number)
		case 4:
			kv.Version = int64(f.Number)
		case 5:
			kv.Value = string(f.Bytes)
		case 6:
			kv.Lease = int64(f.Number)
		}
		return nil
	})
	return kv, err
}

// Lease is a value of the bucket lease (leasepb.Lease). The keys that are attached to the lease are not in it, but in KeyValue.Lease.
type Lease struct {
	ID  int64
	TTL int64 // seconds
	// Remaining is how many seconds were left when etcd wrote a checkpoint of the lease. 0: etcd wrote none.
	Remaining int64
}

// AppendLease appends the message as etcd encodes it.
func AppendLease(dst []byte, l *Lease) []byte {
	dst = wire.AppendInt(dst, 1, l.ID)
	dst = wire.AppendInt(dst, 2, l.TTL)
	return wire.AppendInt(dst, 3, l.Remaining)
}

// ParseLease is the reverse of AppendLease.
func ParseLease(message []byte) (l Lease, err error) {
	err = wire.EachField(message, func(f wire.Field) error {
		switch f.Num {
		case 1:
			l.ID = int64(f.Number)
		case 2:
			l.TTL = int64(f.Number)
		case 3:
			l.Remaining = int64(f.Number)
		}
		return nil
	})
	return l, err
}
