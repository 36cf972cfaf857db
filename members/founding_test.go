package members

import (
	"strings"
	"testing"
)

// TestFounding sets a founding ID: the first one stays, and is in checkpoints. Checkpoints of
// versions without founding IDs have none.
func TestFounding(t *testing.T) {
	r := NewRegistry(7)
	if id, founded := r.Founded(); id != 0 || founded {
		t.Errorf("a new registry has founding ID %s", id)
	}
	if strings.Contains(string(r.Marshal()), "founding") {
		t.Errorf("a registry without one says %s", r.Marshal())
	}
	r.SetFounding(Unfounded)
	if id, founded := r.Founded(); id != Unfounded || founded {
		t.Errorf("one that is about to get an ID has %s, %v", id, founded)
	}
	r.SetFounding(77)
	r.SetFounding(88)
	if err := r.Add(Member{ID: 1}); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(1); err != nil {
		t.Fatal(err)
	}
	again := NewRegistry(7)
	if err := again.Unmarshal(r.Marshal()); err != nil {
		t.Fatal(err)
	}
	if id, founded := again.Founded(); id != 77 || !founded {
		t.Errorf("the checkpoint of founding ID 77 gives %s, %v", id, founded)
	}
}
