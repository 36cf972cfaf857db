package users

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// tryV3 applies a change of the v3 API to the model.
func (m *model) tryV3(c *Change) Kind {
	switch c.Op {
	case AuthEnable:
		root, hasRoot := m.users[Root]
		switch {
		case m.enabled:
			return Unchanged
		case !hasRoot:
			return RootUserNotFound
		case !slices.Contains(root.Roles, Root):
			return RootRoleNotGranted
		}
		m.enabled, m.tokenKey = true, ""
	case AuthDisable:
		if !m.enabled {
			return Unchanged
		}
		m.enabled, m.tokenKey = false, ""
	case SetTokenKey:
		if m.tokenKey != "" {
			return Unchanged
		}
		m.tokenKey = c.TokenKey
	case RoleAdd, RoleDelete, RoleGrantPermission, RoleRevokePermission:
		return m.tryRoleV3(c)
	default:
		return m.tryUserV3(c)
	}
	return 0
}

func (m *model) tryUserV3(c *Change) Kind {
	u, exists := m.users[c.Name]
	if c.Op == UserAdd {
		switch {
		case c.Name == "":
			return UserEmpty
		case exists:
			return UserExists
		}
		m.users[c.Name] = User{Name: c.Name, PasswordHash: c.PasswordHash}
		return 0
	}
	isRoot := m.enabled && c.Name == Root
	if isRoot && (c.Op == UserDelete || c.Op == UserRevokeRole && c.Role == Root) {
		return InvalidManagement
	}
	if !exists {
		return UserNotFound
	}
	has := slices.Contains(u.Roles, c.Role)
	switch c.Op {
	case UserDelete:
		delete(m.users, c.Name)
		return 0
	case UserChangePassword:
		if u.PasswordHash != "" {
			u.PasswordHash = c.PasswordHash
		}
	case UserGrantRole:
		if _, known := m.roles[c.Role]; !known && c.Role != Root {
			return RoleNotFound
		} else if has {
			return Unchanged
		}
		u.Roles = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(u.Roles), c.Role))))
	case UserRevokeRole:
		if !has {
			return RoleNotGranted
		}
		u.Roles = without(u.Roles, c.Role)
	}
	m.users[c.Name] = u
	return 0
}

func (m *model) tryRoleV3(c *Change) Kind {
	p, exists := m.roles[c.Name]
	switch {
	case c.Op == RoleAdd && c.Name == "":
		return RoleEmpty
	case c.Op == RoleAdd && exists:
		return RoleExists
	case c.Op == RoleAdd:
		m.roles[c.Name] = Permissions{}
		return 0
	case c.Op == RoleDelete && m.enabled && c.Name == Root:
		return InvalidManagement
	case c.Op == RoleGrantPermission && (c.Range.From == "" || c.Range.To != "" && c.Range.To <= c.Range.From):
		return InvalidManagement
	case !exists:
		return RoleNotFound
	case c.Op == RoleDelete:
		delete(m.roles, c.Name)
		for name, u := range m.users {
			if slices.Contains(u.Roles, c.Name) {
				u.Roles = without(u.Roles, c.Name)
				m.users[name] = u
			}
		}
		return 0
	case c.Op == RoleRevokePermission && !slices.Contains(p.Read, c.Range) && !slices.Contains(p.Write, c.Range):
		return PermissionNotGranted
	}
	access := func(list []Range, has bool) []Range {
		set := map[Range]bool{}
		for _, r := range list {
			set[r] = true
		}
		set[c.Range] = has
		maps.DeleteFunc(set, func(_ Range, has bool) bool { return !has })
		return sortedRanges(set)
	}
	m.roles[c.Name] = Permissions{Read: access(p.Read, c.CanRead), Write: access(p.Write, c.CanWrite)}
	return 0
}

// without returns a sorted list of roles, not nil, without duplicates and without one role.
func without(roles []string, role string) []string {
	kept := slices.DeleteFunc(slices.Clone(roles), func(name string) bool { return name == role })
	slices.Sort(kept)
	return append([]string{}, slices.Compact(kept)...)
}

// genFieldsV3 draws the fields of an operation of the v3 API. Its names may be empty.
func genFieldsV3(t *rapid.T, c *Change, name *rapid.Generator[string]) {
	if c.Op.hasName() && rapid.IntRange(0, 9).Draw(t, "empty name") == 0 {
		c.Name = ""
	}
	switch c.Op {
	case UserAdd, UserChangePassword:
		c.PasswordHash = rapid.SampledFrom([]string{"", "h1", "h2"}).Draw(t, "hash")
	case UserGrantRole, UserRevokeRole:
		c.Role = name.Draw(t, "role")
	case RoleGrantPermission:
		c.Range = genRange(t)
		c.CanRead, c.CanWrite = rapid.Bool().Draw(t, "read"), rapid.Bool().Draw(t, "write")
	case RoleRevokePermission:
		c.Range = genRange(t)
	case SetTokenKey:
		c.TokenKey = rapid.SampledFrom([]string{"k1", "k2"}).Draw(t, "token key")
	}
}

func genRange(t *rapid.T) Range {
	key := rapid.SampledFrom([]string{"/a", "/a/b", "b", "c", "[/a, c)", "d", "", "\xff"})
	end := rapid.SampledFrom([]string{"", "\x00", "/b", "b", "c", "d", "e", "\xff"})
	return RangeV3(key.Draw(t, "key"), end.Draw(t, "end"))
}

// TestAllowsRange compares AllowsRange with a check of each key of a small alphabet.
func TestAllowsRange(t *testing.T) {
	keys := []string{"a", "a\x00", "b", "b\x00", "c", "c\x00", "d", "d\x00", "e", "e\x00"}
	probes := []string{"f"} // each bound of a range, and a key above
	for _, key := range keys {
		probes = append(probes, key, key+"\x00")
	}
	rapid.Check(t, func(t *rapid.T) {
		s := apply(t, new(State), &Change{Op: RoleAdd, Name: "r1"}, &Change{Op: RoleAdd, Name: "r2"})
		var granted []Range
		for range rapid.IntRange(0, 6).Draw(t, "grants") {
			c := Change{Op: RoleGrantPermission, Name: rapid.SampledFrom([]string{"r1", "r2"}).Draw(t, "role"), CanRead: true,
				Range: RangeV3(rapid.SampledFrom(keys).Draw(t, "key"), rapid.SampledFrom(append(keys, "", "\x00")).Draw(t, "end"))}
			if next, _, err := s.Apply(&c); err == nil {
				s, granted = next, append(granted, c.Range)
			}
		}
		r := RangeV3(rapid.SampledFrom(keys).Draw(t, "from"), rapid.SampledFrom(append(keys, "", "\x00")).Draw(t, "to"))
		holds := func(r Range, key string) bool { return r.From <= key && (r.To == "" || key < r.To) }
		want := r.To == "" || r.To >= r.From
		for _, key := range probes {
			if !holds(r, key) && (r.From != r.To || key != r.From) {
				continue
			}
			if !slices.ContainsFunc(granted, func(g Range) bool { return holds(g, key) }) {
				want = false
			}
		}
		if got := s.AllowsRange([]string{"nothing", "r1", "r2"}, Read, r); got != want {
			t.Fatalf("%q with %q: %v, want %v", r, granted, got, want)
		}
		if !s.AllowsRange([]string{Root}, Write, r) || s.AllowsRange([]string{"r1", "r2"}, Write, r) {
			t.Fatal("wrong right to write")
		}
	})
}
