package tree

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// referenceString returns the JSON string that etcd sends. etcd was built with a Go before
// 1.22, whose encoding/json wrote \u0008 and \u000c in place of \b and \f.
func referenceString(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			out.WriteByte(b[i])
			continue
		}
		i++
		switch b[i] {
		case 'b':
			out.WriteString(`\u0008`)
		case 'f':
			out.WriteString(`\u000c`)
		default:
			out.Write(b[i-1 : i+1])
		}
	}
	return out.String()
}

func referenceTime(at int64) string { return time.Unix(0, at).UTC().Format(time.RFC3339Nano) }

func TestAppendString(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: one goroutine tries many texts")
	}
	t.Run("golden", func(t *testing.T) {
		for in, want := range map[string]string{
			"":                       `""`,
			"\b\f\n\r\t\x00\x1f\x7f": `"\u0008\u000c\n\r\t\u0000\u001f` + "\x7f" + `"`,
			`"\/`:                    `"\"\\/"`,
			"<a href='x'>&":          `"\u003ca href='x'\u003e\u0026"`,
			"\u2028\u2029\u2027":     `"\u2028\u2029` + "\u2027" + `"`,
			"é\xffü\xc3":             `"é\ufffdü\ufffd"`,
			"\ufffd\U0001f332":       "\"\ufffd\U0001f332\"",
			"\xed\xa0\x80":           `"\ufffd\ufffd\ufffd"`,
		} {
			if got := string(appendString(nil, in)); got != want {
				t.Errorf("%q: got %s, want %s", in, got, want)
			}
			if ref := referenceString(in); ref != want {
				t.Errorf("%q: the reference is %s, want %s", in, ref, want)
			}
		}
	})
	t.Run("every rune", func(t *testing.T) {
		for r := rune(0); r <= 0x10ffff; r++ {
			s := "x" + string(r) + "y"
			if got, want := string(appendString(nil, s)), referenceString(s); got != want {
				t.Fatalf("%U: got %s, want %s", r, got, want)
			}
		}
	})
	t.Run("any bytes", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
			if got, want := string(appendString([]byte("x"), s)), "x"+referenceString(s); got != want {
				t.Fatalf("%q: got %s, want %s", s, got, want)
			}
		})
	})
}

func FuzzAppendString(f *testing.F) {
	f.Add("plain")
	f.Add("\b\f<\u2028\xff")
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(appendString(nil, s)), referenceString(s); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	})
}

// apiNode is a node as a client decodes it.
type apiNode struct {
	Key           string
	Value         *string
	Dir           bool
	Expiration    *time.Time
	TTL           int64
	Nodes         []apiNode
	ModifiedIndex uint64
	CreatedIndex  uint64
}

type apiEvent struct {
	Action   string
	Node     *apiNode
	PrevNode *apiNode
}

// model returns a decoded node in the form of the model.
func (n *apiNode) model() modelNode {
	m := modelNode{path: n.Key, dir: n.Dir, created: n.CreatedIndex, modified: n.ModifiedIndex}
	if m.path == "" {
		m.path = "/"
	}
	if n.Value != nil {
		m.value = *n.Value
	}
	if n.Expiration != nil {
		m.expires = n.Expiration.UnixNano()
	}
	return m
}

func decodeAPI(body []byte) (apiEvent, error) {
	var e apiEvent
	if len(body) == 0 || body[len(body)-1] != '\n' || strings.Count(string(body), "\n") != 1 || !utf8.Valid(body) {
		return e, fmt.Errorf("not one line of UTF-8: %q", body)
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	return e, d.Decode(&e)
}

// TestEventJSONDecodes decodes the JSON of every event of random batches.
func TestEventJSONDecodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := New(100), newModel(100)
		now := 100 * second
		for range rapid.IntRange(1, 10).Draw(t, "batches") {
			now = genNow(t, now)
			commands := genBatch(t, m, now, 5)
			for _, c := range commands {
				_, _ = m.do(now, c)
			}
			s.Apply(now, commands)
		}
		for i := m.oldest(); i <= m.index; i++ {
			checkEventJSON(t, &m.events[i-2], s.history.at(i))
		}
		for path := range m.nodes {
			checkGetJSON(t, m, s.View().Lookup(path), now)
		}
	})
}

func checkEventJSON(t *rapid.T, want *modelEvent, e *Event) {
	got, err := decodeAPI(e.AppendJSON(nil))
	if err != nil {
		t.Fatalf("%v: %s", err, e.AppendJSON(nil))
	}
	node := want.node
	if got.Action != want.action || got.Node.model() != node {
		t.Fatalf("got %s, want %+v", e.AppendJSON(nil), want)
	}
	if (got.PrevNode == nil) != (want.prev == nil) || want.prev != nil && got.PrevNode.model() != *want.prev {
		t.Fatalf("got %s, want the previous node %+v", e.AppendJSON(nil), want.prev)
	}
	for _, n := range []*apiNode{got.Node, got.PrevNode} {
		if n != nil && n.Expiration != nil && n.TTL != ceilSeconds(n.Expiration.UnixNano()-e.time) {
			t.Fatalf("ttl of %s at %d", e.AppendJSON(nil), e.time)
		}
	}
}

func ceilSeconds(left int64) int64 {
	whole := left / second
	if left > whole*second {
		whole++
	}
	return whole
}

func checkGetJSON(t *rapid.T, m *model, n *Node, now int64) {
	for depth, limit := range map[int]int{0: 0, Shallow: 1, 2: 2, Deep: 100} {
		body := EncodeGet(n, now, depth).Append(nil)
		got, err := decodeAPI(body)
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if got.Action != "get" || got.PrevNode != nil {
			t.Fatalf("got %s", body)
		}
		checkNodes(t, m, got.Node, limit)
	}
}

func checkNodes(t *rapid.T, m *model, n *apiNode, depth int) {
	path := n.model().path
	if n.model() != m.nodes[path] {
		t.Fatalf("got %+v, want %+v", n.model(), m.nodes[path])
	}
	want := m.shown(0, path)
	if depth == 0 {
		want = nil
	}
	if len(n.Nodes) != len(want) {
		t.Fatalf("%s shows %d children, want %d", path, len(n.Nodes), len(want))
	}
	for i := range n.Nodes {
		checkNodes(t, m, &n.Nodes[i], depth-1)
	}
}

// TestPlainPrefix compares plainPrefix, which tests eight bytes at a time, with a test of
// each byte.
func TestPlainPrefix(t *testing.T) {
	for at := range 20 {
		for _, around := range []byte{'a', ' ', 0x7f, '!', '#', '%', '\'', '=', '?', ']', '['} {
			for b := range 256 {
				text := bytes.Repeat([]byte{around}, 20)
				text[at] = byte(b)
				want := len(text)
				if b >= utf8.RuneSelf || !plainByte[b] {
					want = at
				}
				if got := plainPrefix(string(text)); got != want {
					t.Fatalf("%q: got %d, want %d", text, got, want)
				}
			}
		}
	}
}
