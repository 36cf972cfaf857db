package etcdv2

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"

	"pando/storage/wire"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/encoding/protowire"
)

// exportedVersion is the version of the cluster in the data. Every etcd from 3.0 on accepts it, and raises it to its own.
const exportedVersion = "3.0.0"

// createFile makes a file, calls write with a buffered writer, and syncs the file.
func createFile(path string, write func(w io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 256<<10)
	err = write(b)
	if err == nil {
		err = b.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// writeSnapFile writes the snapshot: a checksum around a raftpb.Snapshot. The length of the JSON in it comes first, so the JSON is
// encoded twice; the checksum comes last, although its number is the lowest. Protocol buffers allow every order.
func writeSnapFile(ctx context.Context, path string, x *Export, at position) error {
	counter := new(countingWriter)
	if err := newExportWriter(ctx, x, counter).store(); err != nil {
		return err
	}
	metadata := appendMetadata(nil, x, at)
	head := protowire.AppendTag(nil, 1, protowire.BytesType)
	head = protowire.AppendVarint(head, counter.bytes)
	tail := wire.AppendMessage(nil, 2, metadata)
	return createFile(path, func(w io.Writer) error {
		outer := protowire.AppendTag(nil, 2, protowire.BytesType)
		outer = protowire.AppendVarint(outer, uint64(len(head))+counter.bytes+uint64(len(tail)))
		if _, err := w.Write(outer); err != nil {
			return err
		}
		sum := crc32.New(castagnoli)
		both := io.MultiWriter(w, sum)
		if _, err := both.Write(head); err != nil {
			return err
		}
		written := new(countingWriter)
		if err := newExportWriter(ctx, x, io.MultiWriter(both, written)).store(); err != nil {
			return err
		}
		if written.bytes != counter.bytes {
			return fmt.Errorf("the state has changed while it was written: %d bytes after %d", written.bytes, counter.bytes)
		}
		if _, err := both.Write(tail); err != nil {
			return err
		}
		last := protowire.AppendTag(nil, 1, protowire.VarintType)
		_, err := w.Write(protowire.AppendVarint(last, uint64(sum.Sum32())))
		return err
	})
}

// appendMetadata appends a raftpb.SnapshotMetadata.
func appendMetadata(dst []byte, x *Export, at position) []byte {
	dst = wire.AppendMessage(dst, 1, appendConfState(nil, x))
	return appendNumbers(dst, 2, at.index, at.term)
}

// appendConfState appends a raftpb.ConfState.
func appendConfState(dst []byte, x *Export) []byte {
	for _, id := range x.voters() {
		dst = appendNumbers(dst, 1, id)
	}
	return dst
}

// appendNumbers appends fields of the type varint with consecutive numbers.
func appendNumbers(dst []byte, first protowire.Number, values ...uint64) []byte {
	for i, v := range values {
		dst = protowire.AppendTag(dst, first+protowire.Number(i), protowire.VarintType)
		dst = protowire.AppendVarint(dst, v)
	}
	return dst
}

// writeLog writes a log that begins at the snapshot and has no entry.
func writeLog(path string, x *Export, at position) error {
	mark := appendNumbers(nil, 1, at.index, at.term)
	mark = wire.AppendMessage(mark, 3, appendConfState(nil, x))
	const noVote = 0
	var b []byte
	var sum uint32
	for _, r := range []record{
		{kind: checksumRecord},
		{kind: metadataRecord, data: appendNumbers(nil, 1, x.Self, x.ClusterID)},
		{kind: snapshotRecord, data: appendNumbers(nil, 1, 0, 0)}, // etcd begins every log with this mark
		{kind: snapshotRecord, data: mark},
		{kind: stateRecord, data: appendNumbers(nil, 1, at.term, noVote, at.index)},
	} {
		sum = crc32.Update(sum, castagnoli, r.data)
		b = appendFrame(b, r, sum)
	}
	return createFile(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// appendFrame appends a record of the log with its checksum. frameSize decodes the first bytes.
func appendFrame(dst []byte, r record, sum uint32) []byte {
	message := appendNumbers(nil, 1, r.kind, uint64(sum))
	if r.data != nil {
		message = wire.AppendMessage(message, 3, r.data)
	}
	word, padding := uint64(len(message)), -len(message)&7
	if padding > 0 {
		word |= uint64(0x80|padding) << 56
	}
	dst = binary.LittleEndian.AppendUint64(dst, word)
	dst = append(dst, message...)
	return append(dst, make([]byte, padding)...)
}

// dbMember is a member in the file db.
type dbMember struct {
	ID       uint64   `json:"id"`
	PeerURLs []string `json:"peerURLs"`
}

// writeDB writes the file of v3. It has no keys, but etcd refuses a snapshot without it: the consistent index in it must not be lower
// than the index of the snapshot. etcd 3.5 takes the members from it, etcd 3.4 from the store.
func writeDB(path string, x *Export, at position) error {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		put := func(bucket, key string, value []byte) error {
			b, err := tx.CreateBucketIfNotExists([]byte(bucket))
			if err != nil || key == "" {
				return err
			}
			return b.Put([]byte(key), value)
		}
		err := errors.Join(
			put("meta", "consistent_index", binary.BigEndian.AppendUint64(nil, at.index)),
			put("meta", "term", binary.BigEndian.AppendUint64(nil, at.term)),
			put("cluster", "clusterVersion", []byte(exportedVersion)),
			put("members_removed", "", nil),
		)
		for _, m := range x.Members {
			value, jsonErr := json.Marshal(dbMember(m))
			err = errors.Join(err, jsonErr, put("members", strconv.FormatUint(m.ID, 16), value))
		}
		return err
	})
	return errors.Join(err, db.Close())
}

// countingWriter counts the bytes that are written to it.
type countingWriter struct{ bytes uint64 }

// Write counts the bytes. It never fails.
func (c *countingWriter) Write(b []byte) (int, error) {
	c.bytes += uint64(len(b))
	return len(b), nil
}
