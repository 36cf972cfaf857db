package storage

import (
	"errors"
	"strings"
	"testing"
)

// chunkOf makes a chunk from fields: "path=node" is a change, "path" a deleted node, and "path/"
// a deleted directory.
func chunkOf(t *testing.T, text string) []byte {
	t.Helper()
	c := &chunkWriter{}
	for _, field := range strings.Fields(text) {
		path, node, _ := strings.Cut(field, "=")
		if err := c.add(path, []byte(node)); err != nil {
			t.Fatal(err)
		}
	}
	return c.chunk
}

func runOf(t *testing.T, text string) run {
	t.Helper()
	r, _, err := parseChunk(chunkOf(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return r.run()
}

// String shows a run in the form of chunkOf. It takes the changes out of the run.
func (r run) String() string {
	var fields []string
	for _, dir := range r.deletedDirs {
		fields = append(fields, string(dir))
	}
	for c := r.changes.next(); len(c.path) > 0; c = r.changes.next() {
		field := string(c.path)
		if len(c.node) > 0 {
			field += "=" + string(c.node)
		}
		fields = append(fields, field)
	}
	return strings.Join(fields, " ")
}

func TestRunOver(t *testing.T) {
	for _, tc := range []struct{ name, older, newer, want string }{
		{"nothing over nothing", "", "", ""},
		{"nothing over something", "/a=1 /b", "", "/a=1 /b"},
		{"something over nothing", "", "/c/ /a=1 /b", "/c/ /a=1 /b"},
		{"the later one counts", "/a=1 /b=1 /c", "/b=2 /c=2", "/a=1 /b=2 /c=2"},
		{"a deleted node stays deleted", "/a=1", "/a", "/a"},
		{"before, between, after", "/b=1 /d=1", "/a=2 /c=2 /e=2", "/a=2 /b=1 /c=2 /d=1 /e=2"},
		{"a deleted directory", "/d=1 /d/x=1 /d/y", "/d/ /d", "/d/ /d"},
		{"a deleted directory that was made again", "/d=1 /d/x=1 /d/y=1", "/d/ /d=2 /d/y=2", "/d/ /d=2 /d/y=2"},
		{"neighbours in the order of bytes", "/d=1 /d!=1 /d!/x=1 /d/x=1 /d0=1", "/d/ /d=2", "/d/ /d=2 /d!=1 /d!/x=1 /d0=1"},
		{"deleted before", "/d/ /d /e=1", "/d=2 /d/x=2", "/d/ /d=2 /d/x=2 /e=1"},
		{"one within the other", "/d/e/ /d/e", "/d/ /d", "/d/ /d"},
		{"both within one chunk", "/d/e/x=1 /d/f=1", "/d/ /d/e/ /d /d/e", "/d/ /d /d/e"},
		{"one beside the other", "/d!/x=1 /d/x=1", "/d/ /d!/ /d /d!", "/d!/ /d/ /d /d!"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := runOf(t, tc.newer).over(runOf(t, tc.older)).String(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestMergedChunks(t *testing.T) {
	for _, tc := range []struct {
		name   string
		chunks []string
		runs   int
		want   string
	}{
		{"none", nil, 0, ""},
		{"one", []string{"/d/ /a=1 /d"}, 1, "/d/ /a=1 /d"},
		{"a delta in parts", []string{"/d/", "/a=1 /b=1", "/c=1 /d"}, 1, "/d/ /a=1 /b=1 /c=1 /d"},
		{"deletions in parts", []string{"/d/", "/e/ /a=1", "/d /e"}, 2, "/d/ /e/ /a=1 /d /e"},
		{"the same path", []string{"/a=1", "/a=2"}, 2, "/a=2"},
		{"a path before the last", []string{"/a=1 /c=1", "/b=2"}, 2, "/a=1 /b=2 /c=1"},
		{"deleted in the next", []string{"/d/x=1", "/d/ /d", "/e=1"}, 2, "/d/ /d /e=1"},
		{"deleted and made again, three times", []string{"/d=1 /d/x=1", "/d/ /d=2 /d/y=2", "/d/ /d=3 /d/x=3"}, 3, "/d/ /d=3 /d/x=3"},
		{"five", []string{"/e=1", "/d=2 /f=2", "/c=3 /e=3", "/b=4 /d=4", "/a=5 /c"}, 5, "/a=5 /b=4 /c /d=4 /e=3 /f=2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var d deltas
			size := 0
			for _, text := range tc.chunks {
				chunk := chunkOf(t, text)
				size += len(chunk)
				if err := d.add(chunk); err != nil {
					t.Fatal(err)
				}
			}
			if got := d.merged().String(); got != tc.want || len(d.runs) != tc.runs || d.bytes != uint64(size) {
				t.Errorf("got %q of %d runs and %d bytes, want %q of %d and %d", got, len(d.runs), d.bytes, tc.want, tc.runs, size)
			}
		})
	}
}

func TestParseChunk(t *testing.T) {
	for name, chunk := range map[string]string{
		"an empty path":              "\x00\x01n",
		"a path without its end":     "\x05/a",
		"a node without its end":     "\x02/a\x05n",
		"no node":                    "\x02/a",
		"a length without its end":   "\x80",
		"a length beyond all":        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01/a",
		"the same path twice":        "\x02/a\x00\x02/a\x00",
		"paths out of order":         "\x02/b\x00\x02/a\x00",
		"a deletion after a path":    "\x02/a\x00\x03/b/\x00",
		"a deletion that has a node": "\x03/b/\x01n",
	} {
		t.Run(name, func(t *testing.T) {
			if r, _, err := parseChunk([]byte(chunk)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v, %v", r, err)
			}
		})
	}
}

// FuzzParseChunk parses any bytes as a chunk. The result must be in order, or an error.
func FuzzParseChunk(f *testing.F) {
	f.Add([]byte("\x03/b/\x00\x02/a\x01n\x02/b\x00"))
	f.Add([]byte("\x02/a\x05n"))
	f.Fuzz(func(t *testing.T, chunk []byte) {
		r, first, err := parseChunk(chunk)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("an error of an unknown kind: %v", err)
			}
			return
		}
		var before change
		for changes, i := r.run().changes, 0; ; i++ {
			c := changes.next()
			if i == 0 && string(c.path) != string(first) {
				t.Errorf("the first path is %q, not %q", c.path, first)
			}
			if len(c.path) == 0 {
				break
			}
			if string(before.path) >= string(c.path) {
				t.Errorf("%q before %q", before.path, c.path)
			}
			before = c
		}
		if string(before.path) != string(r.last) {
			t.Errorf("the last path is %q, not %q", before.path, r.last)
		}
		if got, want := r.run().over(r.run()).String(), r.run().String(); got != want {
			t.Errorf("%q over itself is %q", want, got)
		}
	})
}
