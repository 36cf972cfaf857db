package stream

import (
	"fmt"
	"strings"
	"testing"

	"pando/tree"
)

// serverSentEvents is a framing that puts text around each event.
type serverSentEvents struct{ Framing }

func (f serverSentEvents) Begin(dst []byte, size int) []byte {
	return append(f.Framing.Begin(dst, len("data: ")+size+len("\n")), "data: "...)
}

func (f serverSentEvents) End(dst []byte) []byte { return f.Framing.End(append(dst, '\n')) }

// TestFramings checks the bytes of a small event and of a large one, in each framing and mode.
func TestFramings(t *testing.T) {
	for _, tc := range []struct {
		name           string
		framing        Framing
		begin, end     string // %x in begin is the size of the object with its text
		text           int    // the size of the text
		closesLongPoll string
	}{
		{"raw", Raw, "", "", 0, ""},
		{"chunked", Chunked, "%x\r\n", "\r\n", 0, "0\r\n\r\n"},
		{"raw text", serverSentEvents{Raw}, "data: ", "\n", 7, ""},
		{"chunked text", serverSentEvents{Chunked}, "%x\r\ndata: ", "\n\r\n", 7, "0\r\n\r\n"},
	} {
		for _, mode := range []Mode{LongPoll, Continuous} {
			for name, value := range map[string]string{"small": "1", "large": large} {
				t.Run(fmt.Sprint(tc.name, " ", name, " ", mode), func(t *testing.T) {
					f := newFixture(nil)
					watcher, err := f.tree.Watch("/a", tree.Exact, 0)
					if err != nil {
						t.Fatal(err)
					}
					defer watcher.Close()
					f.put("/a", value)
					json := f.eventJSON(t, 2)
					want := json + tc.end
					if begin := tc.begin; strings.Contains(begin, "%x") {
						want = fmt.Sprintf(begin, len(json)+tc.text) + want
					} else {
						want = begin + want
					}
					if mode == LongPoll {
						want += tc.closesLongPoll
					}
					s := &Stream{Watch: Watch{Watcher: watcher, Mode: mode}, dispatcher: f.Dispatcher, framing: tc.framing}
					if got := collectAll(t, s); got != want {
						t.Errorf("got %.100q, want %.100q", got, want)
					}
				})
			}
		}
	}
}

// collectAll returns everything that a Stream writes until it awaits an event or is complete.
func collectAll(t *testing.T, s *Stream) string {
	t.Helper()
	var out strings.Builder
	for {
		batch, large, next := s.collect(nil)
		out.Write(batch)
		if large != nil {
			err := s.sendLarge(large, func(b []byte) error {
				out.Write(b)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if next != sendMore {
			return out.String()
		}
	}
}
