package users

import (
	"fmt"
	"strings"
)

// apply applies changes that must succeed.
func apply(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, s *State, changes ...*Change) *State {
	t.Helper()
	for _, c := range changes {
		next, _, err := s.Apply(c)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		s = next
	}
	return s
}

// user returns the change that creates a user.
func user(name string, roles ...string) *Change {
	return &Change{Op: PutUser, Name: name, PasswordHash: "hash of " + name, Roles: roles}
}

// role returns the change that creates a role. The patterns are readable and writable.
func role(name string, patterns ...string) *Change {
	return &Change{Op: PutRole, Name: name, Permissions: Permissions{Read: ranges(patterns...), Write: ranges(patterns...)}}
}

func ranges(patterns ...string) []Range { return ParsePatterns(patterns) }

func patterns(list []Range) string {
	if list == nil {
		return "null"
	}
	texts := make([]string, len(list))
	for i, r := range list {
		texts[i] = r.Pattern()
	}
	return "[" + strings.Join(texts, " ") + "]"
}

func names(list []string) string {
	if list == nil {
		return "null"
	}
	return "[" + strings.Join(list, " ") + "]"
}

// dump returns the whole content of a State as text.
func dump(s *State) string {
	var b strings.Builder
	fmt.Fprintf(&b, "revision %d, enabled %v, initialized %v, token key %q\n", s.Revision(), s.Enabled(), s.initialized, s.TokenKey())
	if root := s.roles.Get(Root); root != nil {
		fmt.Fprintf(&b, "role root of v3 %s %s\n", patterns(root.Read), patterns(root.Write))
	}
	for u := range s.Users() {
		fmt.Fprintf(&b, "user %s %s %s\n", u.Name, u.PasswordHash, names(u.Roles))
	}
	for r := range s.Roles() {
		fmt.Fprintf(&b, "role %s %s %s\n", r.Name, patterns(r.Read), patterns(r.Write))
	}
	return b.String()
}

// stored returns the stored form of a State: the head, and the records in order.
type stored struct {
	head          []byte
	keys, records [][]byte
}

func store(s *State) stored {
	st := stored{head: s.AppendHead(nil)}
	for key, record := range s.Difference(nil) {
		st.keys, st.records = append(st.keys, key), append(st.records, record)
	}
	return st
}

func (st stored) load() (*State, error) {
	l, err := NewLoader(st.head)
	if err != nil {
		return nil, err
	}
	for i, key := range st.keys {
		if err := l.Record(key, st.records[i]); err != nil {
			return nil, err
		}
	}
	return l.Finish()
}
