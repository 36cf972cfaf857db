package v3

import (
	"google.golang.org/protobuf/encoding/protowire"

	"pando/tree"
)

// The functions of this file append the wire form of messages straight from nodes of the tree. A field whose value is zero is left out, as
// in all messages of the API. Beside each function is one that returns the number of bytes that it appends.

// The numbers of the fields of mvccpb.KeyValue.
const (
	keyField            = 1
	createRevisionField = 2
	modRevisionField    = 3
	versionField        = 4
	valueField          = 5
	leaseField          = 6
)

// appendKeyValue appends the mvccpb.KeyValue of a file.
func appendKeyValue(b []byte, n *tree.Node) []byte {
	b = appendText(b, keyField, n.Path())
	b = appendNumber(b, createRevisionField, n.CreateRevision())
	b = appendNumber(b, modRevisionField, n.ModRevision())
	b = appendNumber(b, versionField, n.Version())
	b = appendText(b, valueField, n.Value())
	return appendNumber(b, leaseField, uint64(n.Lease()))
}

func sizeKeyValue(n *tree.Node) int {
	return sizeText(keyField, n.Path()) + sizeNumber(createRevisionField, n.CreateRevision()) + sizeNumber(modRevisionField, n.ModRevision()) +
		sizeNumber(versionField, n.Version()) + sizeText(valueField, n.Value()) + sizeNumber(leaseField, uint64(n.Lease()))
}

// appendRemoved appends the mvccpb.KeyValue of a deletion: the key and the revision of the deletion.
func appendRemoved(b []byte, n *tree.Node) []byte {
	return appendNumber(appendText(b, keyField, n.Path()), modRevisionField, n.ModRevision())
}

func sizeRemoved(n *tree.Node) int {
	return sizeText(keyField, n.Path()) + sizeNumber(modRevisionField, n.ModRevision())
}

// The numbers of the fields of etcdserverpb.ResponseHeader.
const (
	clusterIDField = 1
	memberIDField  = 2
	revisionField  = 3
	raftTermField  = 4
)

// responseHeader is an etcdserverpb.ResponseHeader.
type responseHeader struct{ cluster, member, revision, term uint64 }

// wireHeader returns the header of a response that shows the tree at a revision.
func (s *Server) wireHeader(revision uint64) responseHeader {
	_, term := s.cfg.Service.Position()
	return responseHeader{uint64(s.cfg.Service.ClusterID()), uint64(s.cfg.Service.Self()), revision, term}
}

func (h *responseHeader) append(b []byte) []byte {
	b = appendNumber(b, clusterIDField, h.cluster)
	b = appendNumber(b, memberIDField, h.member)
	b = appendNumber(b, revisionField, h.revision)
	return appendNumber(b, raftTermField, h.term)
}

func (h *responseHeader) size() int {
	return sizeNumber(clusterIDField, h.cluster) + sizeNumber(memberIDField, h.member) + sizeNumber(revisionField, h.revision) +
		sizeNumber(raftTermField, h.term)
}

// appendNumber appends a field of an integer type.
func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

func sizeNumber(field protowire.Number, n uint64) int {
	if n == 0 {
		return 0
	}
	return protowire.SizeTag(field) + protowire.SizeVarint(n)
}

// appendText appends a field of the type bytes or string.
func appendText(b []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

func sizeText(field protowire.Number, text string) int {
	if text == "" {
		return 0
	}
	return protowire.SizeTag(field) + protowire.SizeBytes(len(text))
}

// appendHead appends what precedes a message that is a field: its tag and its length. The message must follow, even if it is empty.
func appendHead(b []byte, field protowire.Number, length int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(length))
}

// sizeMessage returns the size of a message that is a field, with its head.
func sizeMessage(field protowire.Number, length int) int {
	return protowire.SizeTag(field) + protowire.SizeBytes(length)
}
