package users

import (
	"slices"
	"testing"
)

// TestRootKeepsRole checks that the user root in the State always has the role root, even after a change that revokes it. As in the
// reference, the result of that change shows the roles without it.
func TestRootKeepsRole(t *testing.T) {
	state := new(State)
	apply := func(c Change) Outcome {
		t.Helper()
		c.Op, c.Name, c.PasswordHash = PutUser, Root, "hash"
		next, outcome, err := state.Apply(&c)
		if err != nil {
			t.Fatal(err)
		}
		state = next
		return outcome
	}
	for _, step := range []struct {
		change         Change
		result, stored []string
	}{
		{Change{}, []string{Root}, []string{Root}},
		{Change{Revoke: []string{Root}}, []string{}, []string{Root}},
		{Change{Grant: []string{"writer"}, Revoke: []string{Root}}, []string{"writer"}, []string{"writer", Root}},
		{Change{Revoke: []string{"writer"}}, []string{Root}, []string{Root}},
	} {
		outcome := apply(step.change)
		if got := outcome.User.Roles; !slices.Equal(got, step.result) {
			t.Errorf("%+v: the result has roles %q, want %q", step.change, got, step.result)
		}
		if got := state.User(Root).Roles; !slices.Equal(got, step.stored) {
			t.Errorf("%+v: the state has roles %q, want %q", step.change, got, step.stored)
		}
	}
}
