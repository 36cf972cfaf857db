package members

import (
	"cmp"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ID identifies a member or a cluster. Zero is not a valid ID.
type ID uint64

// String returns the canonical form: lower-case hexadecimal without padding.
func (id ID) String() string { return strconv.FormatUint(uint64(id), 16) }

// MarshalText writes the canonical form, which makes an ID a string in JSON.
func (id ID) MarshalText() ([]byte, error) {
	return strconv.AppendUint(nil, uint64(id), 16), nil
}

// UnmarshalText reads what ParseID accepts.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// ParseID parses an ID as it is written in a URL: hexadecimal digits of either case,
// leading zeros allowed, no sign and no 0x prefix, at most 64 bits.
func ParseID(s string) (ID, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("members: %q is not a member ID: want up to 16 hexadecimal digits, like 8e9e05c52164694d", s)
	}
	return ID(n), nil
}

// NewBootstrapMember returns one of the first members of a cluster. Its ID is computed
// from the peer URLs and the cluster token, so that every member computes the same IDs
// without asking another. The URLs must be canonical (see ParseURLs). They are copied and
// sorted.
func NewBootstrapMember(name string, peerURLs []string, token string) Member {
	urls := sortedCopy(peerURLs)
	return Member{ID: hashID(urls, token), Name: name, PeerURLs: urls}
}

// NewRuntimeMember returns a member that is added to a running cluster at the given time.
// The time, in seconds, is part of its ID, so that a server that was removed can be added
// again, with the same URLs and another ID. The member has no name until it starts. The
// URLs must be canonical (see ParseURLs). They are copied and sorted.
func NewRuntimeMember(peerURLs []string, at time.Time) Member {
	urls := sortedCopy(peerURLs)
	return Member{ID: hashID(urls, strconv.FormatInt(at.Unix(), 10)), PeerURLs: urls}
}

// ClusterID returns the ID of the cluster that has these first members, in any order.
func ClusterID(founders []Member) ID {
	sorted := slices.SortedFunc(slices.Values(founders), byID)
	buf := make([]byte, 0, 8*len(sorted))
	for _, m := range sorted {
		buf = binary.BigEndian.AppendUint64(buf, uint64(m.ID))
	}
	sum := sha1.Sum(buf)
	return ID(binary.BigEndian.Uint64(sum[:8]))
}

// hashID is the first 8 bytes of the SHA-1 sum of the sorted URLs, joined, and the salt.
func hashID(sortedURLs []string, salt string) ID {
	sum := sha1.Sum([]byte(strings.Join(sortedURLs, "") + salt))
	return ID(binary.BigEndian.Uint64(sum[:8]))
}

func byID(a, b Member) int { return cmp.Compare(a.ID, b.ID) }
