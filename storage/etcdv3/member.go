package etcdv3

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Member is a value of the bucket members, in JSON.
type Member struct {
	ID         uint64   `json:"id"`
	PeerURLs   []string `json:"peerURLs"`
	Learner    bool     `json:"isLearner,omitempty"`
	Name       string   `json:"name,omitempty"`
	ClientURLs []string `json:"clientURLs,omitempty"`
}

// MemberKey returns the key of a member in the buckets members and members_removed.
func MemberKey(id uint64) string { return strconv.FormatUint(id, 16) }

// ParseMemberKey is the reverse of MemberKey.
func ParseMemberKey(key []byte) (uint64, error) {
	id, err := strconv.ParseUint(string(key), 16, 64)
	if err != nil {
		return 0, fmt.Errorf("malformed member ID %q: %w", key, err)
	}
	return id, nil
}

// AppendMember appends the JSON of a member.
func AppendMember(dst []byte, m *Member) ([]byte, error) {
	value, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("member %x: %w", m.ID, err)
	}
	return append(dst, value...), nil
}

// ParseMember is the reverse of AppendMember.
func ParseMember(value []byte) (m Member, err error) {
	if err := json.Unmarshal(value, &m); err != nil {
		return Member{}, fmt.Errorf("malformed member %q: %w", value, err)
	}
	return m, nil
}
