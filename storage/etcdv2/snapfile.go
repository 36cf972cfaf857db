package etcdv2

import (
	"fmt"
	"hash/crc32"
	"os"

	"pando/storage/wire"

	"google.golang.org/protobuf/encoding/protowire"
)

// readSnapFile reads the file of a snapshot, compares it with its checksum, and returns the JSON in it and the offset of the JSON
// in the file.
func readSnapFile(f snapFile) (content []byte, offset int64, err error) {
	file, err := os.ReadFile(f.path)
	if err != nil {
		return nil, 0, err
	}
	content, offset, err = decodeSnapFile(file, f.at)
	if err != nil {
		err = fmt.Errorf("%w: %s, offset 0: %w", ErrDamaged, f.path, err)
	}
	return content, offset, err
}

// decodeSnapFile decodes a snapshot of the state at a position: a checksum around a raftpb.Snapshot.
func decodeSnapFile(file []byte, at position) (content []byte, offset int64, err error) {
	var stored uint64
	var snapshot, metadata []byte
	err = wire.Scalars(file, map[protowire.Number]*uint64{1: &stored}, map[protowire.Number]*[]byte{2: &snapshot})
	switch {
	case err != nil || len(snapshot) == 0:
		return nil, 0, fmt.Errorf("%w: the %d bytes are not a snapshot", wire.ErrMalformed, len(file))
	case crc32.Checksum(snapshot, castagnoli) != uint32(stored):
		return nil, 0, fmt.Errorf("%w: wrong checksum", wire.ErrMalformed)
	}
	if err := wire.Scalars(snapshot, nil, map[protowire.Number]*[]byte{1: &content, 2: &metadata}); err != nil {
		return nil, 0, fmt.Errorf("%w: not a snapshot of raft", err)
	}
	var inside position
	if err := wire.Scalars(metadata, map[protowire.Number]*uint64{2: &inside.index, 3: &inside.term}, nil); err != nil {
		return nil, 0, fmt.Errorf("%w: the position of the snapshot", err)
	}
	if inside != at {
		return nil, 0, fmt.Errorf("%w: it is at index %d of term %d, but its name says index %d of term %d",
			wire.ErrMalformed, inside.index, inside.term, at.index, at.term)
	}
	return content, int64(cap(file) - cap(content)), nil
}
