package tree

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestPieces compares a response in pieces with the whole response, and checks the size of
// the pieces.
func TestPieces(t *testing.T) {
	text := rapid.Custom(func(t *rapid.T) string {
		part := rapid.SampledFrom([]string{
			"a", "é", "森", "\U0001f332", "\xff", "\xe6\xa3", "\x80\x80\x80\x80\x80", "<", "\n", "\u2028", "\x00",
		})
		pattern := strings.Join(rapid.SliceOfN(part, 1, 7).Draw(t, "pattern"), "")
		return strings.Repeat(pattern, rapid.IntRange(0, 5<<10).Draw(t, "times"))
	})
	rapid.Check(t, func(r *rapid.T) {
		s := New(10)
		for i := range rapid.IntRange(1, 3).Draw(r, "files") {
			must(t, s, Command{Op: OpSet, Path: fmt.Sprintf("/d/%d", i), Value: text.Draw(r, "value")})
		}
		e := must(t, s, Command{Op: OpSet, Path: "/d/0", Value: text.Draw(r, "last"), Expires: second})
		checkPieces(r, EncodeGet(s.View().root, 1, Deep))
		checkPieces(r, EncodeGet(s.View().Lookup("/d/0"), 1, Shallow))
		checkPieces(r, e.Encode())
		checkPieces(r, must(t, s, Command{Op: OpDelete, Path: "/d/0"}).Encode())
	})
}

func checkPieces(t *rapid.T, e Encoding) {
	const largest = PieceSize + 12*longText + 1<<10
	var got []byte
	rest, err := e.Pieces(nil, func(piece []byte) error {
		if len(piece) < PieceSize || len(piece) > largest {
			t.Fatalf("a piece of %d bytes", len(piece))
		}
		got = append(got, piece...)
		return nil
	})
	got = append(got, rest...)
	if want := e.Append(nil); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%v: %d bytes in pieces differ from %d as a whole", err, len(got), len(want))
	}
	if size := e.Size(nil); size != len(got) {
		t.Fatalf("Size is %d, want %d", size, len(got))
	}
}

// TestPiecesEndAtAnError makes the third write of a large response fail. No more pieces must
// be encoded or written, for one large file and for many small ones.
func TestPiecesEndAtAnError(t *testing.T) {
	failure := errors.New("broken pipe")
	for _, files := range []int{1, 1000} {
		s := New(10)
		for i := range files {
			must(t, s, Command{Op: OpSet, Path: fmt.Sprintf("/d/%d", i), Value: strings.Repeat("<", 10_000_000/files)})
		}
		taken := 0
		rest, err := EncodeGet(s.View().root, 1, Deep).Pieces(nil, func([]byte) error {
			if taken++; taken == 3 {
				return failure
			}
			return nil
		})
		if !errors.Is(err, failure) || taken != 3 || len(rest) > PieceSize || cap(rest) > 4*PieceSize {
			t.Errorf("%d files: %v after %d pieces, %d bytes left in %d", files, err, taken, len(rest), cap(rest))
		}
	}
}
