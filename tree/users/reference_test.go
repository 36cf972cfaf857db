package users

import (
	"fmt"
	"testing"
)

// step is a change with the result that the reference gives: an error, or the roles of the
// user and the permissions of the role after the change; and the number of indexes.
type step struct {
	change  *Change
	indexes int
	want    string
}

func (s *step) run(t *testing.T, before *State) *State {
	t.Helper()
	after, outcome, err := before.Apply(s.change)
	got := ""
	switch {
	case err != nil:
		got = err.Text
	case outcome.User != nil:
		got = names(outcome.User.Roles)
	case outcome.Role != nil:
		got = patterns(outcome.Role.Read) + patterns(outcome.Role.Write)
	}
	if got != s.want || outcome.Writes.Indexes() != s.indexes {
		t.Errorf("%+v\ngot  %s and %d indexes\nwant %s and %d", s.change, got, outcome.Writes.Indexes(), s.want, s.indexes)
	}
	if changed := after.Revision() - before.Revision(); (err == nil) != (changed == 1) || changed > 1 {
		t.Errorf("%+v: revision %d after %d", s.change, after.Revision(), before.Revision())
	}
	if err != nil && after.IsZero() == before.IsZero() && dump(after) != dump(before) {
		t.Errorf("%+v fails and makes\n%s of\n%s", s.change, dump(after), dump(before))
	}
	return after
}

func grant(name string, roles ...string) *Change {
	return &Change{Op: PutUser, Name: name, Grant: roles}
}

func revoke(name string, roles ...string) *Change {
	return &Change{Op: PutUser, Name: name, Revoke: roles}
}

func grantRead(name string, list ...string) *Change {
	return &Change{Op: PutRole, Name: name, GrantPermissions: Permissions{Read: ranges(list...)}}
}

func grantWrite(name string, list ...string) *Change {
	return &Change{Op: PutRole, Name: name, GrantPermissions: Permissions{Write: ranges(list...)}}
}

func revokeRead(name string, list ...string) *Change {
	return &Change{Op: PutRole, Name: name, RevokePermissions: Permissions{Read: ranges(list...)}}
}

const (
	userNotUpdated = "auth: User not updated. Use grant/revoke/password to update the user."
	roleNotUpdated = "auth: Role not updated. Use grant/revoke to update the role."
	rootRoleText   = "auth: Cannot modify role root: is root role."
	noRootText     = "auth: No root user available, please create one"
	rootUserText   = "auth: Cannot delete root user while auth is enabled."
)

var referenceSteps = map[string][]step{
	"users": {
		{&Change{Op: PutUser, Name: "c"}, 0, "auth: Cannot create user c with an empty password"},
		{grant("c", "x"), 0, "auth: User c does not exist."},
		{user("a"), 5, "null"},
		{&Change{Op: PutUser, Name: "a"}, 1, "[]"}, // null becomes []
		{&Change{Op: PutUser, Name: "a"}, 0, userNotUpdated},
		{&Change{Op: PutUser, Name: "a", PasswordHash: "p2", Roles: []string{"r1"}}, 0, "auth: User a already exists."},
		{&Change{Op: PutUser, Name: "c", Roles: []string{"r1"}}, 0, "auth: Cannot create user c with an empty password"},
		{&Change{Op: PutUser, Name: "a", PasswordHash: "p2", Roles: []string{}}, 1, "[]"},
		{grant("a", "r1"), 1, "[r1]"},
		{grant("a", "r1"), 0, "auth: Granting duplicate role r1 for user a"},
		{grant("a", "z", "y", "y"), 0, "auth: Granting duplicate role y for user a"},
		{revoke("a", "nope"), 0, "auth: Revoking ungranted role nope for user a"},
		{revoke("a", "r1", "r1"), 0, "auth: Revoking ungranted role r1 for user a"},
		{&Change{Op: PutUser, Name: "a", PasswordHash: "p3", Revoke: []string{"nope"}}, 0, "auth: Revoking ungranted role nope for user a"},
		{revoke("a", "r1"), 1, "[]"},
		{&Change{Op: PutUser, Name: "a", Grant: []string{"q"}, Revoke: []string{"q"}}, 0, userNotUpdated},
		{user("b", "guest", "guest", "r", "a"), 1, "[guest guest r a]"},
		{revoke("b", "guest"), 1, "[a r]"}, // an update sorts the roles
		{grant("b", "zzz", "bbb"), 1, "[a bbb r zzz]"},
		{&Change{Op: DeleteUser, Name: "a"}, 1, ""},
		{&Change{Op: DeleteUser, Name: "a"}, 0, "auth: User a does not exist"},
	},
	"roles": {
		{role("root"), 0, rootRoleText},
		{grantRead("none", "/q"), 0, "auth: Role none does not exist."},
		{&Change{Op: DeleteRole, Name: "root"}, 0, rootRoleText},
		{&Change{Op: DeleteRole, Name: "none"}, 4, "auth: Role none doesn't exist."},
		{&Change{Op: PutRole, Name: "n"}, 1, "nullnull"},
		{revokeRead("n", "/z"), 1, "[][]"},
		{revokeRead("n", "/z"), 0, roleNotUpdated},
		{&Change{Op: PutRole, Name: "n"}, 0, "auth: Role n already exists."},
		{&Change{Op: PutRole, Name: "d", Permissions: Permissions{Read: ranges("/b*", "/a", "/a")}}, 1, "[/b* /a /a]null"},
		{grantRead("d", "/0", "/B"), 1, "[/0 /B /a /b*][]"}, // an update sorts the patterns
		{grantRead("d", "/0"), 0, "auth: Granting duplicate read permission /0"},
		{grantWrite("d", "/b", "/b"), 0, "auth: Granting duplicate write permission /b"},
		{&Change{Op: PutRole, Name: "d", GrantPermissions: Permissions{Read: ranges("/x")},
			RevokePermissions: Permissions{Read: ranges("/x", "/a")}}, 1, "[/0 /B /b*][]"},
		{&Change{Op: PutRole, Name: "t", Permissions: Permissions{Read: ranges("*", "/a*b", "", "//x", "/x/", "**")}}, 1,
			"[* /a*b  //x /x/ **]null"},
		{&Change{Op: DeleteRole, Name: "d"}, 1, ""},
		{&Change{Op: DeleteRole, Name: "guest"}, 0, "auth: Role guest doesn't exist."},
	},
	"enable": {
		{&Change{Op: Enable}, 0, noRootText},
		{&Change{Op: Disable}, 0, "auth: already disabled"},
		{&Change{Op: DeleteUser, Name: "x"}, 4, "auth: User x does not exist"},
		{user("root", "x", "a"), 1, "[x a root]"},
		{&Change{Op: Enable}, 2, ""}, // makes the role guest
		{&Change{Op: Enable}, 0, "auth: already enabled"},
		{role("guest"), 0, "auth: Role guest already exists."},
		{&Change{Op: DeleteUser, Name: "root"}, 0, rootUserText},
		{revoke("root", "root"), 1, "[a x]"},
		{revoke("root", "root"), 1, "[a x]"}, // the response alone is without it
		{grant("root", "root"), 0, "auth: Granting duplicate role root for user root"},
		{&Change{Op: PutUser, Name: "root"}, 1, "[a root x]"}, // another order
		{&Change{Op: PutUser, Name: "root"}, 0, userNotUpdated},
		{&Change{Op: Disable}, 1, ""},
		{&Change{Op: Enable}, 1, ""},
		{&Change{Op: DeleteRole, Name: "guest"}, 1, ""},
		{&Change{Op: Disable}, 1, ""},
		{&Change{Op: DeleteUser, Name: "root"}, 1, ""},
		{&Change{Op: Enable}, 0, noRootText},
	},
}

// TestReference applies changes in the order in which they were recorded from the reference.
func TestReference(t *testing.T) {
	for name, steps := range referenceSteps {
		t.Run(name, func(t *testing.T) {
			s := new(State)
			for i := range steps {
				s = steps[i].run(t, s)
			}
		})
	}
}

// TestWrites checks the kinds of the writes, which the reference shows in its statistics.
func TestWrites(t *testing.T) {
	s := new(State)
	for _, step := range []struct {
		change *Change
		want   Writes
	}{
		{&Change{Op: DeleteUser, Name: "x"}, Writes{Created: 4, DeleteFailed: 1}},
		{&Change{Op: DeleteRole, Name: "x"}, Writes{DeleteFailed: 1}},
		{user("root"), Writes{Created: 1}},
		{user("root", "x"), Writes{CreateFailed: 1}},
		{grant("root", "y"), Writes{Updated: 1}},
		{grant("root", "y"), Writes{}},
		{role("r"), Writes{Created: 1}},
		{role("r"), Writes{CreateFailed: 1}},
		{grantRead("r", "/q"), Writes{Updated: 1}},
		{revokeRead("r", "/z"), Writes{}},
		{&Change{Op: DeleteRole, Name: "r"}, Writes{Deleted: 1}},
		{&Change{Op: Enable}, Writes{Created: 1, Updated: 1}},
		{&Change{Op: Enable}, Writes{}},
		{&Change{Op: Disable}, Writes{Updated: 1}},
		{&Change{Op: DeleteUser, Name: "root"}, Writes{Deleted: 1}},
	} {
		next, outcome, _ := s.Apply(step.change)
		if s = next; outcome.Writes != step.want {
			t.Errorf("%s: %+v, want %+v", fmt.Sprint(step.change), outcome.Writes, step.want)
		}
	}
}
