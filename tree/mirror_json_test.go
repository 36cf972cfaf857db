package tree

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestMirrorJSON encodes and decodes changes of a mirror.
func TestMirrorJSON(t *testing.T) {
	old := NodeFields{Path: "/a", Value: "1", Created: 3, Modified: 3, Expires: 1_700_000_000_000_000_001}
	for _, test := range []struct {
		name   string
		change MirrorChange
		want   string
	}{
		{"indexes alone", MirrorChange{After: 3, To: 9}, `{"after":3,"to":9}`},
		{"the end", MirrorChange{After: 9, To: 1009, Phase: PhaseEnded}, `{"after":9,"to":1009,"phase":"ended"}`},
		{"settings", MirrorChange{Sources: []string{"http://a:2379"}, ForwardWrites: new(false)},
			`{"after":0,"to":0,"sources":["http://a:2379"],"forwardWrites":false}`},
		{"no sources", MirrorChange{Sources: []string{}}, `{"after":0,"to":0,"sources":[]}`},
		{"a read of the source", MirrorChange{After: 3, To: 4, Reset: true,
			Nodes: []NodeFields{old, {Path: "/d", Dir: true, Created: 2, Modified: 2}}, Removed: []string{"/x"}},
			`{"after":3,"to":4,"reset":true,"nodes":[{"key":"/a","value":"1","expiration":"2023-11-14T22:13:20.000000001Z","modifiedIndex":3,` +
				`"createdIndex":3},{"key":"/d","dir":true,"modifiedIndex":2,"createdIndex":2}],"removed":["/x"]}`},
		{"an event", MirrorChange{After: 3, To: 4, Events: []EventFields{{Action: ActionCompareAndSwap, Time: 1_700_000_000_000_000_000,
			Node: NodeFields{Path: "/a", Value: "<&>\u2028\"", Created: 3, Modified: 4}, Prev: &old}}},
			`{"after":3,"to":4,"events":[{"action":"compareAndSwap","time":"2023-11-14T22:13:20Z",` +
				`"node":{"key":"/a","value":"<&>\u2028\"","modifiedIndex":4,"createdIndex":3},` +
				`"prevNode":{"key":"/a","value":"1","expiration":"2023-11-14T22:13:20.000000001Z","modifiedIndex":3,"createdIndex":3}}]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, err := test.change.MarshalJSON()
			if got := strings.TrimSpace(string(text)); err != nil || got != test.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, test.want)
			}
			var decoded MirrorChange
			if err := json.Unmarshal(text, &decoded); err != nil || !reflect.DeepEqual(decoded, test.change) {
				t.Errorf("decoded %+v, %v", decoded, err)
			}
		})
	}
}

// TestBadMirrorJSON decodes bodies that are no change of a mirror.
func TestBadMirrorJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{"after":1,"too":2}`:              `unknown field "too"`,
		`{"nodes":[{"key":"/a","ttl":2}]}`: `unknown field "ttl"`,
		`{"phase":"none"}`:                 "the phase of a change must be",
		`{"phase":"frozen"}`:               `unknown phase "frozen"`,
		`{"events":[{"action":"get","time":"2023-11-14T22:13:20Z","node":{"key":"/a"}}]}`: `unknown action "get"`,
		`{"events":[{"action":"","time":"2023-11-14T22:13:20Z","node":{"key":"/a"}}]}`:    `unknown action ""`,
		`{"events":[{"action":"set","node":{"key":"/a"}}]}`:                               "has no time",
		`{"events":[{"action":"set","time":"1966-11-14T22:13:20Z","node":{"key":"/a"}}]}`: "between the years",
		`{"nodes":[{"key":"/a","expiration":"2262-11-14T22:13:20Z"}]}`:                    "between the years",
		`{"after":-1}`: "cannot unmarshal",
	} {
		var c MirrorChange
		if err := json.Unmarshal([]byte(text), &c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// TestMirrorStateJSON encodes and decodes the answer of /v2/mirror.
func TestMirrorStateJSON(t *testing.T) {
	state := MirrorState{Phase: PhaseFenced, Index: 7, Sources: []string{"http://a:2379"}, ForwardWrites: true, Member: "ab", Forwarding: 2}
	text, err := json.Marshal(state)
	want := `{"phase":"fenced","index":7,"sources":["http://a:2379"],"forwardWrites":true,"member":"ab","forwarding":2}`
	var decoded MirrorState
	if err != nil || string(text) != want || json.Unmarshal(text, &decoded) != nil || !reflect.DeepEqual(decoded, state) {
		t.Errorf("got  %s, %v\nwant %s\ndecoded %+v", text, err, want, decoded)
	}
	if text, _ := json.Marshal(MirrorState{}); !strings.HasPrefix(string(text), `{"phase":"none",`) {
		t.Errorf("got %s", text)
	}
}
