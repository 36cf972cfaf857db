package members

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestMemberJSON(t *testing.T) {
	for _, c := range []struct {
		name string
		m    Member
		want string
	}{
		{
			"started",
			Member{ID: 0x8e9e05c52164694d, Name: "default", PeerURLs: []string{"http://localhost:2380"},
				ClientURLs: []string{"http://localhost:2379", "http://z:1"}},
			`{"id":"8e9e05c52164694d","name":"default","peerURLs":["http://localhost:2380"],"clientURLs":["http://localhost:2379","http://z:1"]}`,
		},
		{
			"not started",
			Member{ID: 0x28db56658b2162ec, PeerURLs: []string{"http://b:2", "http://b:2"}},
			`{"id":"28db56658b2162ec","name":"","peerURLs":["http://b:2","http://b:2"],"clientURLs":[]}`,
		},
		{
			"a learner, a short ID, an escape",
			Member{ID: 0x90fbd81bb28688a, Name: "<a>", Learner: true},
			`{"id":"90fbd81bb28688a","name":"\u003ca\u003e","peerURLs":[],"clientURLs":[]}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := json.Marshal(c.m)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Fatalf("got  %s\nwant %s", got, c.want)
			}
			var back Member
			if err := json.Unmarshal(got, &back); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(back)
			if err != nil || string(again) != c.want {
				t.Errorf("after a round trip: %s, %v", again, err)
			}
			if back.ID != c.m.ID || back.Name != c.m.Name {
				t.Errorf("decoded %+v from %s", back, got)
			}
		})
	}
}

func TestMemberJSONInAList(t *testing.T) {
	const reply = `{"members":[{"id":"1","name":"a","peerURLs":["http://a:1"],"clientURLs":[],"more":true}]}`
	var got struct {
		Members []Member `json:"members"`
	}
	if err := json.Unmarshal([]byte(reply), &got); err != nil {
		t.Fatal(err)
	}
	want := []Member{{ID: 1, Name: "a", PeerURLs: []string{"http://a:1"}, ClientURLs: []string{}}}
	if !reflect.DeepEqual(got.Members, want) {
		t.Errorf("got %+v, want %+v", got.Members, want)
	}
}

func TestMemberJSONErrors(t *testing.T) {
	for _, in := range []string{`{"id":"xyz"}`, `{"id":""}`, `{"id":7}`, `{"id":"1","peerURLs":"http://a:1"}`, `[]`} {
		m := Member{ID: 9}
		if err := json.Unmarshal([]byte(in), &m); err == nil {
			t.Errorf("%s was decoded to %+v", in, m)
		}
		if m.ID != 9 {
			t.Errorf("%s changed the member to %+v", in, m)
		}
	}
}
