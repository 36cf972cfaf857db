package users

import (
	"fmt"
	"testing"
)

// largeState has 10,000 users, each with one of 10,000 roles, and a role with 10,000 patterns.
func largeState(b *testing.B) *State {
	b.Helper()
	s := apply(b, new(State), user(Root))
	var many []string
	for i := range 10_000 {
		name := fmt.Sprintf("user-%05d", i)
		s = apply(b, s, role(name, "/home/"+name+"/*", "/shared/*"), user(name, name))
		many = append(many, "/many/"+name)
	}
	return apply(b, s, role("many", many...))
}

func BenchmarkAllows(b *testing.B) {
	s := largeState(b)
	for _, bench := range []struct{ role, path string }{
		{"user-05000", "/home/user-05000/file"},
		{"user-05000", "/other"},
		{"many", "/many/user-07777"},
	} {
		b.Run(bench.role+bench.path, func(b *testing.B) {
			roles := []string{bench.role}
			b.ReportAllocs()
			for b.Loop() {
				s.Allows(roles, Read, bench.path, One)
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	s := largeState(b)
	password := []*Change{{Op: PutUser, Name: "user-05000", PasswordHash: "1"}, {Op: PutUser, Name: "user-05000", PasswordHash: "2"}}
	b.Run("password", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			s = apply(b, s, password[i%2])
		}
	})
	b.Run("role", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s = apply(b, s, grantRead("user-05000", "/x"), revokeRead("user-05000", "/x"))
		}
	})
}

// BenchmarkDifference is the cost of a checkpoint after one change.
func BenchmarkDifference(b *testing.B) {
	before := largeState(b)
	s := apply(b, before, &Change{Op: PutUser, Name: "user-05000", PasswordHash: "new"})
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for range s.Difference(before) {
			n++
		}
		if n != 1 {
			b.Fatalf("%d records differ", n)
		}
	}
}
