package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protowire"
)

// load makes the requests of a number of clients, each of which has one request in flight, and checks the responses. The clients of one
// connection are used by its goroutine alone.
type load interface {
	// method is what the requests call.
	method() string
	// next returns the next request of a client, with the head of gRPC. It is valid until the next call for a client of the connection.
	next(client int) []byte
	// check checks the response to the last request of a client.
	check(client int, response []byte) error
}

func keyOf(i int) []byte { return fmt.Appendf(nil, "/bench/%08d", i) }

func valueOf(size int) []byte { return bytes.Repeat([]byte{'x'}, size) }

// puts writes keys, at random or one after the other.
type puts struct {
	requests [][]byte // for random keys
	last     []uint64 // the revision that a client has seen last
	// Keys one after the other: client i writes i, i+clients, ... below total, each once.
	sequential  bool
	value       []byte
	key         []byte // in place of the keys, if there is one
	written     []int
	total, step int
}

func newPuts(clients, keys, size int) *puts {
	p := &puts{last: make([]uint64, clients), requests: make([][]byte, keys)}
	for i := range p.requests {
		p.requests[i] = frame(&pb.PutRequest{Key: keyOf(i), Value: valueOf(size)})
	}
	return p
}

func newFill(clients, keys, size int) *puts {
	p := &puts{last: make([]uint64, clients), sequential: true, value: valueOf(size), written: make([]int, clients), total: keys, step: clients}
	for i := range p.written {
		p.written[i] = i
	}
	return p
}

func (*puts) method() string { return "KV/Put" }

// next returns nil for a client that has written all its keys.
func (p *puts) next(client int) []byte {
	if !p.sequential {
		return p.requests[rand.IntN(len(p.requests))]
	}
	i := p.written[client]
	p.written[client] += p.step
	if i >= p.total {
		return nil
	}
	key := p.key
	if key == nil {
		key = keyOf(i)
	}
	return frame(&pb.PutRequest{Key: key, Value: p.value})
}

var errRevision = errors.New("the revision of a write is not above that of the client's last one")

func (p *puts) check(client int, response []byte) (err error) {
	var revision uint64
	failed := fields(response, func(field protowire.Number, _ uint64, header []byte) {
		if field == 1 {
			revision, err = revisionOf(header)
		}
	})
	if failed != nil || err != nil {
		return errors.Join(failed, err)
	}
	if revision <= p.last[client] {
		return errRevision
	}
	p.last[client] = revision
	return nil
}

// ranges reads one key at a time.
type ranges struct {
	requests [][]byte
	asked    []int
	size     int
}

func newRanges(clients, keys, size int, serializable bool) *ranges {
	r := &ranges{asked: make([]int, clients), requests: make([][]byte, keys), size: size}
	for i := range r.requests {
		r.requests[i] = frame(&pb.RangeRequest{Key: keyOf(i), Serializable: serializable})
	}
	return r
}

func (*ranges) method() string { return "KV/Range" }

func (r *ranges) next(client int) []byte {
	r.asked[client] = rand.IntN(len(r.requests))
	return r.requests[r.asked[client]]
}

func (r *ranges) check(client int, response []byte) (err error) {
	found, count := 0, uint64(0)
	var key [24]byte
	failed := fields(response, func(field protowire.Number, number uint64, bytes []byte) {
		switch field {
		case 2:
			var f file
			if f, err = fileOf(bytes); err == nil && f.value == r.size && string(f.key) == string(fmt.Appendf(key[:0], "/bench/%08d", r.asked[client])) {
				found++
			}
		case 4:
			count = number
		}
	})
	if failed != nil || err != nil {
		return errors.Join(failed, err)
	}
	if found != 1 || count != 1 {
		return fmt.Errorf("the response to a range has %d files as they were written, and a count of %d", found, count)
	}
	return nil
}

// txns replaces keys if no other client has changed them. Each client has keys of its own, and replaces one after the other.
type txns struct {
	value   []byte
	clients []txnClient
}

type txnClient struct {
	keys      [][]byte
	revisions []uint64 // of the keys; 0 before the first response
	at        int
	request   []byte
}

// keysOfClient is the number of keys that a client of txns has.
const keysOfClient = 16

func newTxns(clients, size int) *txns {
	t := &txns{value: valueOf(size), clients: make([]txnClient, clients)}
	for i := range t.clients {
		c := &t.clients[i]
		for k := range keysOfClient {
			c.keys = append(c.keys, keyOf(i*keysOfClient+k))
		}
		c.revisions = make([]uint64, keysOfClient)
	}
	return t
}

func (*txns) method() string { return "KV/Txn" }

func (t *txns) next(client int) []byte {
	c := &t.clients[client]
	c.at = (c.at + 1) % keysOfClient
	c.request = appendTxn(c.request[:0], c.keys[c.at], t.value, c.revisions[c.at])
	return c.request
}

var errTxn = errors.New("a transaction has failed though no one else has changed the key")

// check records the revision of the key. A transaction must succeed if the revision was recorded before.
func (t *txns) check(client int, response []byte) (err error) {
	c := &t.clients[client]
	known := c.revisions[c.at]
	var revision, succeeded uint64
	var read []byte
	failed := fields(response, func(field protowire.Number, number uint64, bytes []byte) {
		switch field {
		case 1:
			revision, err = revisionOf(bytes)
		case 2:
			succeeded = number
		case 3:
			read = bytes
		}
	})
	if failed != nil || err != nil {
		return errors.Join(failed, err)
	}
	if succeeded == 1 && revision > known {
		c.revisions[c.at] = revision
		return nil
	}
	if known != 0 {
		return errTxn
	}
	for _, field := range [...]protowire.Number{1, 2} { // ResponseOp.response_range, RangeResponse.kvs
		read, err = field1(read, field)
		if err != nil {
			return err
		}
	}
	f, err := fileOf(read)
	c.revisions[c.at] = f.revision
	return err
}

// field1 returns the first field of a number, which must have the type bytes.
func field1(message []byte, want protowire.Number) (found []byte, err error) {
	err = fields(message, func(field protowire.Number, _ uint64, bytes []byte) {
		if field == want && found == nil {
			found = bytes
		}
	})
	if err == nil && found == nil {
		err = fmt.Errorf("a message without the field %d", want)
	}
	return found, err
}
