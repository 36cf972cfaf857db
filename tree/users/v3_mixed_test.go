package users

import (
	"slices"
	"testing"
)

// TestMixedProtocols checks how one protocol shows what the other has made.
func TestMixedProtocols(t *testing.T) {
	t.Run("root of v3", testRootOfV3)
	t.Run("patterns", testPatternsInV3)
	t.Run("ranges", testRangesInV2)
	t.Run("token key", testTokenKey)
	t.Run("role root", testRoleRoot)
}

// testRootOfV3 checks that the v2 API shows and enables a user root that the v3 API has made without the role root.
func testRootOfV3(t *testing.T) {
	s := apply(t, new(State), &Change{Op: UserAdd, Name: Root, PasswordHash: "h"})
	if got := s.User(Root).RolesV2(); !slices.Equal(got, []string{Root}) {
		t.Errorf("v2 shows the roles %q", got)
	}
	if _, _, err := s.Apply(revoke(Root, Root)); err != nil {
		t.Errorf("v2 revokes the role that it shows: %v", err)
	}
	if s = apply(t, s, &Change{Op: Enable}); !slices.Equal(s.User(Root).Roles, []string{Root}) {
		t.Errorf("after Enable, root has the roles %q", s.User(Root).Roles)
	}
	if s.Role(Guest) == nil {
		t.Error("Enable of v2 has made no guest")
	}
	s = apply(t, new(State), user(Root), &Change{Op: AuthEnable})
	if s.Role(Guest) != nil || s.OpenToGuests() {
		t.Error("AuthEnable of v3 lets guests in")
	}
}

func testPatternsInV3(t *testing.T) {
	s := apply(t, new(State), role("r", "/a*", "/b", "*"), grantRead("r", "/c"))
	if got, want := showV3(&s.Role("r").Permissions), `rw:""-"\x00" rw:"/a"-"/b" rw:"/b"-"" r:"/c"-""`; got != want {
		t.Errorf("v3 shows %s, want %s", got, want)
	}
	revokes := []Change{revokeV3("r", "", "\x00"), revokeV3("r", "/a", "/b"), revokeV3("r", "/c", "")}
	for i := range revokes {
		s = apply(t, s, &revokes[i])
	}
	if got := patterns(s.Role("r").Read); got != "[/b]" {
		t.Errorf("after the revocation by v3, v2 shows %s", got)
	}
}

func testRangesInV2(t *testing.T) {
	grants := []Change{grantV3("r", "r", "/a", "/b"), grantV3("r", "r", "k", ""), grantV3("r", "r", "a", "c"), grantV3("r", "r", "x", "\x00")}
	s := apply(t, new(State), &Change{Op: RoleAdd, Name: "r"})
	for i := range grants {
		s = apply(t, s, &grants[i])
	}
	if got, want := patterns(s.Role("r").Read), "[/a* [a, c) [x, ) k]"; got != want {
		t.Errorf("v2 shows %s, want %s", got, want)
	}
	s = apply(t, s, revokeRead("r", "/a*", "k"))
	if _, _, err := s.Apply(revokeRead("r", "[a, c)")); err == nil || err.Text != roleNotUpdated {
		t.Errorf("v2 revokes what is no pattern: %v", err)
	}
}

func testTokenKey(t *testing.T) {
	setKey := &Change{Op: SetTokenKey, TokenKey: "key"}
	for _, rotation := range []Op{Enable, AuthEnable} {
		s := apply(t, new(State), user(Root), setKey)
		if s.TokenKey() != "key" {
			t.Fatalf("the key is %q", s.TokenKey())
		}
		if s = apply(t, s, &Change{Op: rotation}); s.TokenKey() != "" {
			t.Errorf("operation %d keeps the key", rotation)
		}
		if s = apply(t, s, setKey, &Change{Op: AuthDisable}); s.TokenKey() != "" {
			t.Error("AuthDisable keeps the key")
		}
	}
}

func testRoleRoot(t *testing.T) {
	s := apply(t, new(State), &Change{Op: RoleAdd, Name: Root}, &Change{Op: RoleAdd, Name: "z"}, &Change{Op: RoleAdd, Name: "a"})
	var list []string
	for r := range s.Roles() {
		list = append(list, r.Name)
	}
	if !slices.Equal(list, []string{"a", Root, "z"}) || !s.HasRootRole() || s.Role(Root) != rootRole {
		t.Errorf("the roles are %q", list)
	}
	if _, _, err := s.Apply(grantRead(Root, "/a")); err == nil || err.Text != rootRoleText {
		t.Errorf("v2 changes the role root: %v", err)
	}
}
