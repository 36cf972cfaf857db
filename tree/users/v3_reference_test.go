package users

import (
	"fmt"
	"strings"
	"testing"
)

// The texts of etcd 3.7 for the kinds of errors, as package v3 sends them.
var referenceTexts = map[Kind]string{
	UserEmpty: "user name is empty", UserExists: "user name already exists", UserNotFound: "user name not found",
	RoleEmpty: "role name is empty", RoleExists: "role name already exists", RoleNotFound: "role name not found",
	RoleNotGranted: "role is not granted to the user", PermissionNotGranted: "permission is not granted to the role",
	RootUserNotFound: "root user does not exist", RootRoleNotGranted: "root user does not have root role",
	InvalidManagement: "invalid auth management",
}

func showV3(p *Permissions) string {
	var texts []string
	for _, one := range p.PermissionsV3() {
		key, end := one.Range.V3()
		access := ""
		if one.Read {
			access += "r"
		}
		if one.Write {
			access += "w"
		}
		texts = append(texts, fmt.Sprintf("%s:%q-%q", access, key, end))
	}
	return strings.Join(texts, " ")
}

// stepV3 is a change of the v3 API, with the result that etcd 3.7.3 gives: the text of the error; or the roles of the user and the
// permissions of the role after the change. revisions is by how much etcd increases its revision.
type stepV3 struct {
	change    Change
	revisions uint64
	want      string
}

func grantV3(role, access, key, end string) Change {
	return Change{Op: RoleGrantPermission, Name: role, Range: RangeV3(key, end),
		CanRead: strings.Contains(access, "r"), CanWrite: strings.Contains(access, "w")}
}

func revokeV3(role, key, end string) Change {
	return Change{Op: RoleRevokePermission, Name: role, Range: RangeV3(key, end)}
}

func userRole(op Op, user, role string) Change { return Change{Op: op, Name: user, Role: role} }

var userStepsV3 = []stepV3{
	{Change{Op: UserAdd}, 0, "user name is empty"},
	{Change{Op: UserAdd, Name: "n"}, 1, "user: "},
	{Change{Op: UserAdd, Name: "u", PasswordHash: "h"}, 1, "user: "},
	{Change{Op: UserAdd, Name: "u", PasswordHash: "h"}, 0, "user name already exists"},
	{Change{Op: UserDelete, Name: "zz"}, 0, "user name not found"},
	{Change{Op: UserDelete}, 0, "user name not found"},
	{Change{Op: UserChangePassword, Name: "zz", PasswordHash: "h"}, 0, "user name not found"},
	{Change{Op: UserChangePassword, Name: "u", PasswordHash: "i"}, 1, "user: "},
	{Change{Op: UserChangePassword, Name: "n", PasswordHash: "i"}, 1, "user: "},
	{userRole(UserGrantRole, "u", "zz"), 0, "role name not found"},
	{userRole(UserGrantRole, "zz", "zz"), 0, "user name not found"},
	{userRole(UserGrantRole, "u", "root"), 1, "user: root"}, // though there is no role root yet
	{userRole(UserRevokeRole, "u", "root"), 1, "user: "},
	{userRole(UserRevokeRole, "u", "zz"), 0, "role is not granted to the user"},
	{userRole(UserRevokeRole, "zz", "r"), 0, "user name not found"},
	{userRole(UserRevokeRole, "u", ""), 0, "role is not granted to the user"},
	{userRole(UserGrantRole, "u", ""), 0, "role name not found"},
	{userRole(UserGrantRole, "", ""), 0, "user name not found"},
	{Change{Op: RoleAdd, Name: "r"}, 1, "role: "},
	{userRole(UserGrantRole, "u", "root"), 1, "user: root"},
	{userRole(UserGrantRole, "u", "r"), 1, "user: r,root"},
	{userRole(UserGrantRole, "u", "r"), 0, "unchanged"},
	{Change{Op: RoleDelete, Name: "r"}, 1, ""},
	{userRole(UserRevokeRole, "u", "r"), 0, "role is not granted to the user"},
	{userRole(UserRevokeRole, "u", "root"), 1, "user: "},
	{Change{Op: UserDelete, Name: "u"}, 1, ""},
}

var roleStepsV3 = []stepV3{
	{Change{Op: RoleAdd}, 0, "role name is empty"},
	{Change{Op: RoleAdd, Name: "r"}, 1, "role: "},
	{Change{Op: RoleAdd, Name: "r"}, 0, "role name already exists"},
	{Change{Op: RoleAdd, Name: "root"}, 1, "role: "},
	{Change{Op: RoleAdd, Name: "root"}, 0, "role name already exists"},
	{Change{Op: RoleDelete, Name: "zz"}, 0, "role name not found"},
	{Change{Op: RoleDelete}, 0, "role name not found"},
	{grantV3("r", "r", "a", ""), 1, `role: r:"a"-""`},
	{grantV3("r", "w", "b", "d"), 1, `role: r:"a"-"" w:"b"-"d"`},
	{grantV3("r", "rw", "c", "\x00"), 1, `role: r:"a"-"" w:"b"-"d" rw:"c"-"\x00"`},
	{grantV3("r", "r", "\x00", "\x00"), 1, `role: r:"\x00"-"\x00" r:"a"-"" w:"b"-"d" rw:"c"-"\x00"`},
	{grantV3("r", "r", "", "\x00"), 0, "invalid auth management"},
	{grantV3("r", "r", "", ""), 0, "invalid auth management"},
	{grantV3("r", "r", "", "z"), 0, "invalid auth management"},
	{grantV3("r", "r", "z", "a"), 0, "invalid auth management"},
	{grantV3("r", "r", "z", "z"), 0, "invalid auth management"},
	{grantV3("zz", "r", "z", "z"), 0, "invalid auth management"},
	{grantV3("zz", "r", "a", ""), 0, "role name not found"},
	{grantV3("", "r", "a", ""), 0, "role name not found"},
	{grantV3("r", "r", "a", ""), 1, `role: r:"\x00"-"\x00" r:"a"-"" w:"b"-"d" rw:"c"-"\x00"`},
	{grantV3("r", "w", "a", ""), 1, `role: r:"\x00"-"\x00" w:"a"-"" w:"b"-"d" rw:"c"-"\x00"`},
	{revokeV3("r", "zz", ""), 0, "permission is not granted to the role"},
	{revokeV3("zz", "a", ""), 0, "role name not found"},
	{revokeV3("r", "a", ""), 1, `role: r:"\x00"-"\x00" w:"b"-"d" rw:"c"-"\x00"`},
	{revokeV3("r", "a", ""), 0, "permission is not granted to the role"},
	{revokeV3("r", "c", "\x00"), 1, `role: r:"\x00"-"\x00" w:"b"-"d"`},
	{grantV3("root", "r", "a", ""), 1, `role: r:"a"-""`},
	{revokeV3("root", "a", ""), 1, `role: `},
	{Change{Op: RoleDelete, Name: "root"}, 1, ""},
	{Change{Op: RoleDelete, Name: "root"}, 0, "role name not found"},
}

var enableStepsV3 = []stepV3{
	{Change{Op: AuthDisable}, 0, "unchanged"},
	{Change{Op: AuthEnable}, 0, "root user does not exist"},
	{Change{Op: UserAdd, Name: "root", PasswordHash: "h"}, 1, "user: "},
	{Change{Op: AuthEnable}, 0, "root user does not have root role"},
	{userRole(UserGrantRole, "root", "root"), 1, "user: root"},
	{Change{Op: SetTokenKey, TokenKey: "k0"}, 1, ""},
	{Change{Op: AuthEnable}, 1, ""}, // etcd does not count it
	{Change{Op: AuthEnable}, 0, "unchanged"},
	{Change{Op: SetTokenKey, TokenKey: "k1"}, 1, ""},
	{Change{Op: SetTokenKey, TokenKey: "k2"}, 0, "unchanged"},
	{Change{Op: UserDelete, Name: "root"}, 0, "invalid auth management"},
	{userRole(UserRevokeRole, "root", "root"), 0, "invalid auth management"},
	{Change{Op: RoleDelete, Name: "root"}, 0, "invalid auth management"},
	{userRole(UserRevokeRole, "root", "zz"), 0, "role is not granted to the user"},
	{Change{Op: AuthDisable}, 1, ""},
	{userRole(UserRevokeRole, "root", "root"), 1, "user: "},
	{Change{Op: UserDelete, Name: "root"}, 1, ""},
}

// TestReferenceV3 applies changes in the order in which they were recorded from etcd 3.7.3.
func TestReferenceV3(t *testing.T) {
	for name, steps := range map[string][]stepV3{"users": userStepsV3, "roles": roleStepsV3, "enable": enableStepsV3} {
		t.Run(name, func(t *testing.T) {
			s := new(State)
			for i := range steps {
				s = steps[i].run(t, s)
			}
		})
	}
}

func (step *stepV3) run(t *testing.T, before *State) *State {
	t.Helper()
	after, outcome, err := before.Apply(&step.change)
	got := ""
	switch {
	case err != nil && err.Kind == Unchanged:
		got = "unchanged"
	case err != nil:
		got = referenceTexts[err.Kind]
	case outcome.User != nil:
		got = "user: " + strings.Join(outcome.User.Roles, ",")
	case outcome.Role != nil:
		got = "role: " + showV3(&outcome.Role.Permissions)
	}
	if got != step.want || after.Revision()-before.Revision() != step.revisions {
		t.Errorf("%+v\ngot  %s and revision %d after %d\nwant %s and %d more",
			step.change, got, after.Revision(), before.Revision(), step.want, step.revisions)
	}
	if want := int(step.revisions); outcome.Writes.Indexes() != want {
		t.Errorf("%+v takes %d indexes, want %d", step.change, outcome.Writes.Indexes(), want)
	}
	if err != nil && dump(after) != dump(before) {
		t.Errorf("%+v fails and makes\n%s of\n%s", step.change, dump(after), dump(before))
	}
	return after
}
