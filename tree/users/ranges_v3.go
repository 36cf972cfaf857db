package users

import (
	"cmp"
	"slices"
)

// RangeV3 returns the range of a key and a range_end of the v3 API. Without an end it is the key alone. The end "\x00" is no end.
func RangeV3(key, end string) Range {
	switch end {
	case "":
		return Range{key, key + "\x00"}
	case "\x00":
		return Range{key, ""}
	}
	return Range{key, end}
}

// V3 returns the key and the range_end from which RangeV3 makes the range.
func (r Range) V3() (key, end string) {
	switch {
	case r.IsKey():
		return r.From, ""
	case r.To == "":
		return r.From, "\x00"
	}
	return r.From, r.To
}

// isGrantable reports whether the v3 API may grant a permission for the range. As in etcd, the range must have a key, and must not begin
// with the empty key.
func (r Range) isGrantable() bool { return r.From != "" && (r.To == "" || r.From < r.To) }

// PermissionV3 is a permission as the v3 API shows it.
type PermissionV3 struct {
	Range       Range
	Read, Write bool
}

// PermissionsV3 returns the permissions of a role, one for each range, in the order of the ranges. Those of the v2 API are among them: a
// pattern is a range, too.
func (p *Permissions) PermissionsV3() []PermissionV3 {
	var list []PermissionV3
	for _, r := range p.Read {
		list = append(list, PermissionV3{Range: r, Read: true})
	}
	for _, r := range p.Write {
		list = append(list, PermissionV3{Range: r, Write: true})
	}
	slices.SortStableFunc(list, func(a, b PermissionV3) int {
		return cmp.Or(cmp.Compare(a.Range.From, b.Range.From), cmp.Compare(a.Range.To, b.Range.To))
	})
	merged := list[:0]
	for _, one := range list {
		if last := len(merged) - 1; last >= 0 && merged[last].Range == one.Range {
			merged[last].Read = merged[last].Read || one.Read
			merged[last].Write = merged[last].Write || one.Write
			continue
		}
		merged = append(merged, one)
	}
	return merged
}

// AllowsRange reports whether the roles give the access to all keys of a range, each key by any of the roles. That is the rule of the v3
// API: several permissions may cover a range together. As in etcd, access to a range without keys needs access to From if the two ends
// are equal, and the role root otherwise. The result does not depend on Enabled.
func (s *State) AllowsRange(roles []string, a Access, r Range) bool {
	if slices.Contains(roles, Root) {
		return true
	}
	switch {
	case r.To == "":
	case r.To == r.From:
		r.To += "\x00"
	case r.To < r.From:
		return false
	}
	for from := r.From; ; {
		end, ok := s.coveredEnd(roles, a, from)
		switch {
		case !ok:
			return false
		case end == "" || r.To != "" && end >= r.To:
			return true
		}
		from = end
	}
}

// coveredEnd returns the greatest upper end of the permissions of the roles for a key. It is empty if there is no upper end. ok is false
// if there is no permission for the key.
func (s *State) coveredEnd(roles []string, a Access, key string) (end string, ok bool) {
	for _, name := range roles {
		role := s.Role(name)
		if role == nil {
			continue
		}
		to, found := role.coverage(a).endAt(key)
		if !found {
			continue
		}
		if to == "" {
			return "", true
		}
		end, ok = max(end, to), true
	}
	return end, ok
}
