package members

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
)

func member(id ID, urls ...string) Member { return Member{ID: id, PeerURLs: urls} }

// filled returns a registry to which the members 2, 4 and 6 were added, and from which 6 was removed.
func filled(t *testing.T) *Registry {
	t.Helper()
	r := NewRegistry(0xc1)
	for _, m := range []Member{member(6, "http://f:1"), member(2, "http://b:2", "http://b:1"), member(4, "http://d:1")} {
		if err := r.Add(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Remove(6); err != nil {
		t.Fatal(err)
	}
	return r
}

func ids(ms []Member) []ID {
	var got []ID
	for _, m := range ms {
		got = append(got, m.ID)
	}
	return got
}

func TestRegistryReads(t *testing.T) {
	r := filled(t)
	if r.ClusterID() != 0xc1 {
		t.Errorf("cluster ID is %s", r.ClusterID())
	}
	if got := ids(r.List()); !slices.Equal(got, []ID{2, 4}) {
		t.Errorf("list is %v, want 2 and 4", got)
	}
	if m, ok := r.Get(2); !ok || !slices.Equal(m.PeerURLs, []string{"http://b:1", "http://b:2"}) {
		t.Errorf("member 2 is %+v, %v", m, ok)
	}
	for _, id := range []ID{6, 7} {
		if m, ok := r.Get(id); ok {
			t.Errorf("member %s is there: %+v", id, m)
		}
	}
	if !r.Removed(6) || r.Removed(2) || r.Removed(7) {
		t.Errorf("removed: 6 %v, 2 %v, 7 %v; want 6 alone", r.Removed(6), r.Removed(2), r.Removed(7))
	}
}

func TestRegistryErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(r *Registry) error
		want   error
	}{
		{"add an ID again", func(r *Registry) error { return r.Add(member(2, "http://x:1")) }, ErrIDExists},
		{"add a removed ID", func(r *Registry) error { return r.Add(member(6, "http://x:1")) }, ErrIDRemoved},
		{"add a URL again", func(r *Registry) error { return r.Add(member(9, "http://x:1", "http://b:2")) }, ErrPeerURLExists},
		{"remove an unknown", func(r *Registry) error { return r.Remove(9) }, ErrIDNotFound},
		{"remove again", func(r *Registry) error { return r.Remove(6) }, ErrIDRemoved},
		{"move an unknown", func(r *Registry) error { return r.UpdatePeerURLs(9, []string{"http://b:2"}) }, ErrIDNotFound},
		{"move a removed", func(r *Registry) error { return r.UpdatePeerURLs(6, []string{"http://x:1"}) }, ErrIDRemoved},
		{"move to another's URL", func(r *Registry) error { return r.UpdatePeerURLs(4, []string{"http://b:2"}) }, ErrPeerURLExists},
		{"name an unknown", func(r *Registry) error { return r.UpdateAttributes(9, "n", nil) }, ErrIDNotFound},
		{"name a removed", func(r *Registry) error { return r.UpdateAttributes(6, "n", nil) }, ErrIDRemoved},
		{"promote an unknown", func(r *Registry) error { return r.Promote(9) }, ErrIDNotFound},
		{"promote a removed", func(r *Registry) error { return r.Promote(6) }, ErrIDRemoved},
		{"promote a voter", func(r *Registry) error { return r.Promote(2) }, ErrNotLearner},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := filled(t)
			before := string(r.Marshal())
			if err := c.change(r); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if after := string(r.Marshal()); after != before {
				t.Errorf("the refused change left\n%s\nbefore it was\n%s", after, before)
			}
		})
	}
}

func TestRegistryChanges(t *testing.T) {
	r := filled(t)
	learner := member(8, "http://h:1")
	learner.Learner = true
	steps := []error{
		r.Add(learner),
		r.Promote(8),
		r.UpdatePeerURLs(2, []string{"http://b:3", "http://b:2"}),
		r.Add(member(1, "http://b:1")), // free, because member 2 has other URLs now
		r.UpdateAttributes(2, "two", []string{"http://z:1", "http://a:1"}),
		r.UpdateAttributes(4, "four", []string{"http://m:1", "http://a:1"}),
	}
	for i, err := range steps {
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	want := []Member{
		{ID: 1, PeerURLs: []string{"http://b:1"}},
		{ID: 2, Name: "two", PeerURLs: []string{"http://b:2", "http://b:3"}, ClientURLs: []string{"http://a:1", "http://z:1"}},
		{ID: 4, Name: "four", PeerURLs: []string{"http://d:1"}, ClientURLs: []string{"http://a:1", "http://m:1"}},
		{ID: 8, PeerURLs: []string{"http://h:1"}},
	}
	if got := r.List(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// The reference lists a URL once for each member that has it.
	wantURLs := []string{"http://a:1", "http://a:1", "http://m:1", "http://z:1"}
	if got := r.ClientURLs(); !slices.Equal(got, wantURLs) {
		t.Errorf("client URLs are %v, want %v", got, wantURLs)
	}
}

func TestRegistryHasAttributes(t *testing.T) {
	r := filled(t)
	urls := []string{"http://z:1", "http://a:1"}
	if err := r.UpdateAttributes(2, "two", urls); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		id   ID
		as   string
		urls []string
		want bool
	}{
		{"in the order in which they were given", 2, "two", urls, true},
		{"in another", 2, "two", []string{"http://a:1", "http://z:1"}, true},
		{"another name", 2, "one", urls, false},
		{"another URL", 2, "two", []string{"http://a:1", "http://b:1"}, false},
		{"fewer", 2, "two", urls[:1], false},
		{"never named", 4, "", nil, true},
		{"removed", 6, "", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := r.HasAttributes(c.id, c.as, c.urls); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

func TestRegistryPublishedNeverChanges(t *testing.T) {
	r := filled(t)
	before := r.List()
	text := fmt.Sprintf("%+v", before)
	urls := []string{"http://q:1"}
	for _, err := range []error{
		r.Add(member(3, "http://c:1")),
		r.UpdateAttributes(2, "n", urls),
		r.UpdatePeerURLs(4, urls),
		r.Remove(2),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	urls[0] = "changed"
	if after := fmt.Sprintf("%+v", before); after != text {
		t.Errorf("a list that was handed out changed from %s to %s", text, after)
	}
	if m, _ := r.Get(4); !slices.Equal(m.PeerURLs, []string{"http://q:1"}) {
		t.Errorf("the registry kept the caller's slice: %v", m.PeerURLs)
	}
}

func TestRegistryReadersNeverSeeHalfAChange(t *testing.T) {
	r := filled(t)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				for _, m := range r.List() {
					if m.ID == 2 && m.Name != "" && !slices.Equal(m.ClientURLs, []string{"http://" + m.Name + ":1"}) {
						t.Errorf("a half-changed member: %+v", m)
						return
					}
				}
				r.ClientURLs()
				r.Marshal()
			}
		})
	}
	for i := range 500 {
		name := fmt.Sprint("n", i)
		if err := r.UpdateAttributes(2, name, []string{"http://" + name + ":1"}); err != nil {
			t.Error(err)
		}
	}
	close(done)
	readers.Wait()
}

func TestRegistryCheckpoint(t *testing.T) {
	r := filled(t)
	if err := r.UpdateAttributes(2, "two", []string{"http://a:1"}); err != nil {
		t.Fatal(err)
	}
	learner := member(9, "http://i:1")
	learner.Learner = true
	if err := r.Add(learner); err != nil {
		t.Fatal(err)
	}
	const want = `{"clusterID":"c1","members":[` +
		`{"id":"2","name":"two","peerURLs":["http://b:1","http://b:2"],"clientURLs":["http://a:1"]},` +
		`{"id":"4","peerURLs":["http://d:1"]},` +
		`{"id":"9","peerURLs":["http://i:1"],"learner":true}],"removed":["6"]}`
	data := r.Marshal()
	if string(data) != want {
		t.Fatalf("got  %s\nwant %s", data, want)
	}

	restored := NewRegistry(0xc1)
	if err := restored.Add(member(77, "http://old:1")); err != nil {
		t.Fatal(err)
	}
	if err := restored.Unmarshal(data); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(restored.List(), r.List()) {
		t.Errorf("got  %+v\nwant %+v", restored.List(), r.List())
	}
	if !restored.Removed(6) || !slices.Equal(restored.ClientURLs(), r.ClientURLs()) {
		t.Errorf("removed or client URLs were lost: %s", restored.Marshal())
	}
	if got := string(restored.Marshal()); got != want {
		t.Errorf("marshalled again: %s", got)
	}
	t.Run("empty", func(t *testing.T) {
		empty := NewRegistry(1)
		if err := empty.Unmarshal(empty.Marshal()); err != nil || len(empty.List()) != 0 {
			t.Errorf("got %v, %v", empty.List(), err)
		}
	})
}

func TestRegistryCheckpointErrors(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       error // nil: any
	}{
		{"not JSON", `{"clusterID":"c1","memb`, nil},
		{"empty", ``, nil},
		{"another cluster", `{"clusterID":"c2","members":[],"removed":[]}`, ErrWrongCluster},
		{"no cluster", `{}`, ErrWrongCluster},
		{"an ID twice", `{"clusterID":"c1","members":[{"id":"1","peerURLs":["http://a:1"]},{"id":"1","peerURLs":["http://a:2"]}]}`,
			ErrIDExists},
		{"a URL twice", `{"clusterID":"c1","members":[{"id":"1","peerURLs":["http://a:1"]},{"id":"2","peerURLs":["http://a:1"]}]}`,
			ErrPeerURLExists},
		{"removed and there", `{"clusterID":"c1","members":[{"id":"1","peerURLs":["http://a:1"]}],"removed":["1"]}`, ErrIDRemoved},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := filled(t)
			before := string(r.Marshal())
			err := r.Unmarshal([]byte(c.data))
			if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if after := string(r.Marshal()); after != before {
				t.Errorf("it left\n%s\nbefore it was\n%s", after, before)
			}
		})
	}
}

// TestRegistryManualPromotion adds learners that get their vote only on request: there may be one, and a checkpoint keeps it.
func TestRegistryManualPromotion(t *testing.T) {
	r := NewRegistry(1)
	first := Member{ID: 2, PeerURLs: []string{"http://a:1"}, Learner: true, ManualPromotion: true}
	second := Member{ID: 3, PeerURLs: []string{"http://b:1"}, Learner: true, ManualPromotion: true}
	if err := r.Add(first); err != nil {
		t.Fatal(err)
	}
	if err := r.Add(second); !errors.Is(err, ErrTooManyLearners) {
		t.Errorf("the second one: %v", err)
	}
	restored := NewRegistry(1)
	if err := restored.Unmarshal(r.Marshal()); err != nil {
		t.Fatal(err)
	}
	if m, _ := restored.Get(2); !m.Learner || !m.ManualPromotion {
		t.Errorf("restored %+v", m)
	}
	if err := restored.Promote(2); err != nil {
		t.Fatal(err)
	}
	if m, _ := restored.Get(2); m.Learner || m.ManualPromotion {
		t.Errorf("promoted %+v", m)
	}
	if err := restored.Add(second); err != nil {
		t.Error(err)
	}
}
