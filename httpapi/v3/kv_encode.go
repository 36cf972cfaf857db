package v3

import (
	"google.golang.org/protobuf/encoding/protowire"

	"pando/httpapi/rpc"
	"pando/tree"
)

// The responses of the service KV append themselves from the nodes of the tree. The numbers of fields are those of rpc.proto.

// appendHeader appends the header of a response.
func appendHeader(b []byte, h *responseHeader) []byte {
	return h.append(appendHead(b, headerField, h.size()))
}

func sizeHeader(h *responseHeader) int { return sizeMessage(headerField, h.size()) }

// fileForm says which fields of a file a response has.
type fileForm byte

const (
	wholeFile    fileForm = iota
	withoutValue          // that of keys_only in an order by values
	withoutLease          // that of keys_only in all other orders: neither value nor lease
)

// rangeForm returns the form of the files in the response to a query. With keys_only etcd 3.7 takes the files from its index, which has no
// leases, unless it needs their values for the order.
func rangeForm(q *tree.RangeQuery) fileForm {
	switch {
	case !q.KeysOnly:
		return wholeFile
	case q.Sort == tree.SortByValue:
		return withoutValue
	}
	return withoutLease
}

// appendFile appends a file as a field of the type KeyValue.
func appendFile(b []byte, field protowire.Number, n *tree.Node, form fileForm) []byte {
	b = appendHead(b, field, sizeFile(n, form))
	if form == wholeFile {
		return appendKeyValue(b, n)
	}
	b = appendText(b, keyField, n.Path())
	b = appendNumber(b, createRevisionField, n.CreateRevision())
	b = appendNumber(b, modRevisionField, n.ModRevision())
	b = appendNumber(b, versionField, n.Version())
	if form == withoutLease {
		return b
	}
	return appendNumber(b, leaseField, uint64(n.Lease()))
}

// sizeFile returns the size of a KeyValue without its head.
func sizeFile(n *tree.Node, form fileForm) int {
	size := sizeKeyValue(n)
	if form != wholeFile {
		size -= sizeText(valueField, n.Value())
	}
	if form == withoutLease {
		size -= sizeNumber(leaseField, uint64(n.Lease()))
	}
	return size
}

func sizeFiles(field protowire.Number, nodes []*tree.Node, form fileForm) (size int) {
	for _, n := range nodes {
		size += sizeMessage(field, sizeFile(n, form))
	}
	return size
}

// rangeReply is a RangeResponse.
type rangeReply struct {
	header responseHeader
	result tree.RangeResult
	form   fileForm
}

func (r *rangeReply) Size() int {
	return sizeHeader(&r.header) + sizeFiles(2, r.result.Nodes, r.form) + sizeNumber(3, protowire.EncodeBool(r.result.More)) +
		sizeNumber(4, uint64(r.result.Count))
}

func (r *rangeReply) AppendTo(b []byte) []byte {
	b = appendHeader(b, &r.header)
	for _, n := range r.result.Nodes {
		b = appendFile(b, 2, n, r.form)
	}
	b = appendNumber(b, 3, protowire.EncodeBool(r.result.More))
	return appendNumber(b, 4, uint64(r.result.Count))
}

// putReply is a PutResponse. prev has no element, or the file that was replaced.
type putReply struct {
	header responseHeader
	prev   []*tree.Node
}

func (r *putReply) Size() int { return sizeHeader(&r.header) + sizeFiles(2, r.prev, wholeFile) }

func (r *putReply) AppendTo(b []byte) []byte {
	b = appendHeader(b, &r.header)
	for _, n := range r.prev {
		b = appendFile(b, 2, n, wholeFile)
	}
	return b
}

// deleteReply is a DeleteRangeResponse.
type deleteReply struct {
	header  responseHeader
	deleted int64
	prev    []*tree.Node
}

func (r *deleteReply) Size() int {
	return sizeHeader(&r.header) + sizeNumber(2, uint64(r.deleted)) + sizeFiles(3, r.prev, wholeFile)
}

func (r *deleteReply) AppendTo(b []byte) []byte {
	b = appendNumber(appendHeader(b, &r.header), 2, uint64(r.deleted))
	for _, n := range r.prev {
		b = appendFile(b, 3, n, wholeFile)
	}
	return b
}

// txnReply is a TxnResponse.
type txnReply struct {
	header responseHeader
	txn    *tree.KVTxn
	result *tree.KVResult
}

// operations visits the responses of the operations that were executed, and their fields in ResponseOp.
func (r *txnReply) operations(yield func(field protowire.Number, m rpc.Message) bool) {
	list := r.txn.Then
	if !r.result.Succeeded {
		list = r.txn.Else
	}
	for i := range r.result.Ops {
		if !yield(opReply(&list[i], &r.result.Ops[i])) {
			return
		}
	}
}

// opReply returns the response of an operation in a transaction, and its field in ResponseOp. Its header has the revision alone. That of a
// nested transaction is empty, as in the reference.
func opReply(o *tree.KVOp, r *tree.KVOpResult) (protowire.Number, rpc.Message) {
	header := responseHeader{revision: r.Revision}
	switch o.Kind {
	case tree.KVRange:
		return 1, &rangeReply{header, r.Range, rangeForm(o.Range)}
	case tree.KVPut:
		return 2, &putReply{header, r.Prev}
	case tree.KVDeleteRange:
		return 3, &deleteReply{header, r.Deleted, r.Prev}
	}
	return 4, &txnReply{responseHeader{}, o.Txn, r.Txn}
}

func (r *txnReply) Size() int {
	size := sizeHeader(&r.header) + sizeNumber(2, protowire.EncodeBool(r.result.Succeeded))
	for field, m := range r.operations {
		size += sizeMessage(3, sizeMessage(field, m.Size()))
	}
	return size
}

func (r *txnReply) AppendTo(b []byte) []byte {
	b = appendNumber(appendHeader(b, &r.header), 2, protowire.EncodeBool(r.result.Succeeded))
	for field, m := range r.operations {
		size := m.Size()
		b = appendHead(appendHead(b, 3, sizeMessage(field, size)), field, size)
		b = m.AppendTo(b)
	}
	return b
}
