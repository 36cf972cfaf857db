package users

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is a State in simple maps.
type model struct {
	users    map[string]User
	roles    map[string]Permissions
	enabled  bool
	tokenKey string
	revision uint64
}

func newModel() *model { return &model{users: map[string]User{}, roles: map[string]Permissions{}} }

// do applies a change, and returns the kind of the error, or zero.
func (m *model) do(c *Change) Kind {
	kind := m.try(c)
	if kind == 0 {
		m.revision++
	}
	return kind
}

func (m *model) try(c *Change) Kind {
	u, isUser := m.users[c.Name]
	_, isRole := m.roles[c.Name]
	_, hasRoot := m.users[Root]
	switch c.Op {
	case PutUser:
		return m.putUser(c, u, isUser)
	case DeleteUser:
		if c.Name == Root && m.enabled {
			return Forbidden
		} else if !isUser {
			return NotFound
		}
		delete(m.users, c.Name)
	case PutRole:
		return m.putRole(c, isRole)
	case DeleteRole:
		if c.Name == Root {
			return Forbidden
		} else if !isRole {
			return NotFound
		}
		delete(m.roles, c.Name)
	case Enable:
		if m.enabled || !hasRoot {
			return Conflict
		}
		if _, ok := m.roles[Guest]; !ok {
			m.roles[Guest] = fullAccess()
		}
		if root := m.users[Root]; !slices.Contains(root.Roles, Root) {
			root.Roles = append(slices.Clone(root.Roles), Root)
			m.users[Root] = root
		}
		m.enabled, m.tokenKey = true, ""
	case Disable:
		if !m.enabled {
			return Conflict
		}
		m.enabled, m.tokenKey = false, ""
	default:
		return m.tryV3(c)
	}
	return 0
}

func (m *model) putUser(c *Change, old User, exists bool) Kind {
	updates := len(c.Grant)+len(c.Revoke) > 0
	if updates && !exists {
		return NotFound
	}
	if !updates && (!exists || len(c.Roles) > 0) {
		if c.PasswordHash == "" {
			return Invalid
		}
		if exists {
			return Conflict
		}
		roles := slices.Clone(c.Roles)
		if c.Name == Root && !slices.Contains(roles, Root) {
			roles = append(roles, Root)
		}
		m.users[c.Name] = User{c.Name, c.PasswordHash, roles}
		return 0
	}
	if c.Name == Root && !slices.Contains(old.Roles, Root) { // the v3 API has made it so
		old.Roles = append(slices.Clone(old.Roles), Root)
	}
	roles := slices.Compact(slices.Sorted(slices.Values(old.Roles)))
	for _, r := range c.Grant {
		if slices.Contains(roles, r) {
			return Conflict
		}
		roles = append(roles, r)
	}
	for _, r := range c.Revoke {
		i := slices.Index(roles, r)
		if i < 0 {
			return Conflict
		}
		roles = slices.Delete(roles, i, i+1)
	}
	slices.Sort(roles)
	samePassword := c.PasswordHash == "" || c.PasswordHash == old.PasswordHash
	if samePassword && old.Roles != nil && slices.Equal(roles, old.Roles) {
		return Invalid
	}
	if !samePassword {
		old.PasswordHash = c.PasswordHash
	}
	if c.Name == Root && !slices.Contains(roles, Root) {
		roles = append(roles, Root) // it can't be revoked
	}
	m.users[c.Name] = User{c.Name, old.PasswordHash, append([]string{}, roles...)}
	return 0
}

func (m *model) putRole(c *Change, exists bool) Kind {
	g, v := &c.GrantPermissions, &c.RevokePermissions
	switch {
	case c.Name == Root:
		return Forbidden
	case len(g.Read)+len(g.Write)+len(v.Read)+len(v.Write) == 0:
		if exists {
			return Conflict
		}
		m.roles[c.Name] = c.Permissions
		return 0
	case !exists:
		return NotFound
	}
	old := m.roles[c.Name]
	read, ok := merged(old.Read, g.Read, v.Read)
	write, ok2 := merged(old.Write, g.Write, v.Write)
	if !ok || !ok2 {
		return Conflict
	}
	if old.Read != nil && old.Write != nil && slices.Equal(read, old.Read) && slices.Equal(write, old.Write) {
		return Invalid
	}
	m.roles[c.Name] = Permissions{Read: read, Write: write}
	return 0
}

// merged returns a list of ranges after grants and revocations. ok is false if a granted range is in the list.
func merged(old, grant, revoke []Range) (list []Range, ok bool) {
	have := map[Range]bool{}
	for _, r := range old {
		have[r] = true
	}
	for _, r := range grant {
		if have[r] {
			return nil, false
		}
		have[r] = true
	}
	for _, r := range revoke {
		delete(have, r)
	}
	return sortedRanges(have), true
}

// sortedRanges returns the ranges of a set in the order of an update. The list is not nil.
func sortedRanges(set map[Range]bool) []Range {
	list := slices.AppendSeq([]Range{}, maps.Keys(set))
	slices.SortFunc(list, func(a, b Range) int {
		return slices.Compare([]string{a.Pattern(), a.From}, []string{b.Pattern(), b.From})
	})
	return list
}

// state returns a State with the content of the model.
func (m *model) state(initialized bool) *State {
	s := &transition{State: State{enabled: m.enabled, initialized: initialized, tokenKey: m.tokenKey}}
	s.mutate()
	for _, name := range slices.Sorted(maps.Keys(m.users)) {
		u := m.users[name]
		s.users.Insert((*userItem)(&u))
	}
	for _, name := range slices.Sorted(maps.Keys(m.roles)) {
		s.roles.Insert((*roleItem)(newRole(name, m.roles[name])))
	}
	s.revision = m.revision
	return &s.State
}

// genChange draws a change, valid or not. Few names make most changes concern what exists.
func genChange(t *rapid.T) *Change {
	name := rapid.SampledFrom([]string{"root", "guest", "a", "b", "c"})
	list := func(label string) []string {
		if rapid.IntRange(0, 2).Draw(t, label+" given") > 0 {
			return nil
		}
		return rapid.SliceOfN(name, 0, 3).Draw(t, label)
	}
	pattern := rapid.SampledFrom([]string{"/a", "/a*", "/*", "", "*", "/a/b"})
	permissions := func(label string) (p Permissions) {
		for _, to := range []*[]Range{&p.Read, &p.Write} {
			if rapid.IntRange(0, 2).Draw(t, label+" given") == 0 {
				*to = ranges(rapid.SliceOfN(pattern, 0, 3).Draw(t, label)...)
			}
		}
		return p
	}
	c := &Change{Op: Op(rapid.IntRange(1, int(lastOp)).Draw(t, "op"))}
	if c.Op.hasName() {
		c.Name = name.Draw(t, "name")
	}
	switch c.Op {
	case PutUser:
		c.PasswordHash = rapid.SampledFrom([]string{"", "h1", "h2"}).Draw(t, "hash")
		c.Roles, c.Grant, c.Revoke = list("roles"), list("grant"), list("revoke")
	case PutRole:
		c.Permissions = permissions("permissions")
		c.GrantPermissions, c.RevokePermissions = permissions("grant"), permissions("revoke")
	default:
		genFieldsV3(t, c, name)
	}
	return c
}

// TestApplyMatchesModel applies random changes to a State and to the model. It also checks that
// earlier States do not change, and that the stored form follows from the differences.
func TestApplyMatchesModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := new(State), newModel()
		disk := map[string][]byte{}
		var written *State
		for range rapid.IntRange(1, 60).Draw(t, "changes") {
			c := genChange(t)
			before := dump(s)
			next, _, err := s.Apply(c)
			var kind Kind
			if err != nil {
				kind = err.Kind
			}
			if want := m.do(c); kind != want {
				t.Fatalf("%+v: %v, want kind %d; state\n%s", c, err, want, before)
			}
			if got, want := dump(next), dump(m.state(next.initialized)); got != want {
				t.Fatalf("%+v\ngot  %s\nwant %s", c, got, want)
			}
			if dump(s) != before {
				t.Fatalf("%+v has changed the State before it", c)
			}
			s = next
			if rapid.IntRange(0, 4).Draw(t, "write") == 0 {
				writeTo(disk, s, written)
				written = s
				checkDisk(t, disk, s)
			}
		}
	})
}

func writeTo(disk map[string][]byte, s, before *State) {
	for key, record := range s.Difference(before) {
		if record == nil {
			delete(disk, string(key))
		} else {
			disk[string(key)] = record
		}
	}
}

func checkDisk(t *rapid.T, disk map[string][]byte, s *State) {
	if s.IsZero() {
		return
	}
	st := stored{head: s.AppendHead(nil)}
	for _, key := range slices.Sorted(maps.Keys(disk)) {
		st.keys, st.records = append(st.keys, []byte(key)), append(st.records, disk[key])
	}
	loaded, err := st.load()
	if err != nil || dump(loaded) != dump(s) {
		t.Fatalf("%v\nloaded %s\nwant %s", err, dump(loaded), dump(s))
	}
	if a, b := store(loaded), store(s); !bytes.Equal(a.head, b.head) || !slices.EqualFunc(a.records, b.records, bytes.Equal) {
		t.Fatalf("the loaded State has other records: %q, %q", a, b)
	}
}
