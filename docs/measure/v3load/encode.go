package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// frame returns the wire form of a message with the head of gRPC.
func frame(m proto.Message) []byte {
	b, err := proto.MarshalOptions{}.MarshalAppend(make([]byte, messageHead), m)
	if err != nil {
		log.Fatal(err)
	}
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-messageHead))
	return b
}

// fields calls visit for each field of a message of protobuf. number is its value if it is an integer, and bytes its contents otherwise.
func fields(message []byte, visit func(field protowire.Number, number uint64, bytes []byte)) error {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		switch kind {
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(message)
			if n < 0 {
				return protowire.ParseError(n)
			}
			visit(field, v, nil)
			message = message[n:]
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(message)
			if n < 0 {
				return protowire.ParseError(n)
			}
			visit(field, 0, v)
			message = message[n:]
		default:
			return fmt.Errorf("a field of the kind %d", kind)
		}
	}
	return nil
}

// revisionOf returns the revision of a response header.
func revisionOf(header []byte) (revision uint64, err error) {
	err = fields(header, func(field protowire.Number, number uint64, _ []byte) {
		if field == 3 {
			revision = number
		}
	})
	if err == nil && revision == 0 {
		err = errors.New("a response without a revision")
	}
	return revision, err
}

// file is what a response shows of a key.
type file struct {
	key      []byte
	value    int // its length
	revision uint64
}

// fileOf returns the file of a mvccpb.KeyValue.
func fileOf(message []byte) (f file, err error) {
	err = fields(message, func(field protowire.Number, number uint64, bytes []byte) {
		switch field {
		case 1:
			f.key = bytes
		case 3:
			f.revision = number
		case 5:
			f.value = len(bytes)
		}
	})
	return f, err
}

// appendTxn appends a transaction: if the modification revision of the key is that, put the value; otherwise read the key.
func appendTxn(b []byte, key, value []byte, revision uint64) []byte {
	start := len(b)
	b = append(b, make([]byte, messageHead)...)
	compare := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), uint64(pb.Compare_MOD))
	compare = protowire.AppendBytes(protowire.AppendTag(compare, 3, protowire.BytesType), key)
	compare = protowire.AppendVarint(protowire.AppendTag(compare, 6, protowire.VarintType), revision)
	b = protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), compare)
	put := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), key)
	put = protowire.AppendBytes(protowire.AppendTag(put, 2, protowire.BytesType), value)
	b = appendOp(b, 2, 2, put)
	b = appendOp(b, 3, 1, protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), key))
	binary.BigEndian.PutUint32(b[start+1:], uint32(len(b)-start-messageHead))
	return b
}

// appendOp appends an operation to a list of a transaction.
func appendOp(b []byte, list, kind protowire.Number, request []byte) []byte {
	b = protowire.AppendTag(b, list, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(protowire.SizeTag(kind)+protowire.SizeBytes(len(request))))
	return protowire.AppendBytes(protowire.AppendTag(b, kind, protowire.BytesType), request)
}
