package tree

import (
	"testing"

	"pgregory.net/rapid"
)

// TestGrowth compares Growth with the size of the tree after each of many random commands.
func TestGrowth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := New(100), newModel(100)
		for range rapid.IntRange(1, 60).Draw(t, "commands") {
			c := genCommand(t, m, second)
			before := s.View()
			growth := before.Growth(&c)
			result := s.Apply(second, []Command{c})[0]
			s.Announce()
			m.do(second, c)
			got := s.View().Bytes() - before.Bytes()
			switch {
			case c.Op > OpCompareAndDelete:
				if growth != 0 {
					t.Fatalf("growth %d of a command that is not for one key: %+v", growth, c)
				}
			case result.Err == nil && growth != got:
				t.Fatalf("growth %d, got %d: %+v", growth, got, c)
			case result.Err != nil && growth > 0 && !failsByComparison(result.Err.Code):
				t.Fatalf("growth %d of a command that fails with %v: %+v", growth, result.Err, c)
			}
		}
	})
}

// failsByComparison reports whether an error is one that Growth does not foresee.
func failsByComparison(code Code) bool {
	return code == CodeCompareFailed || code == CodeAuthChanged || code == CodeUnauthorized
}
