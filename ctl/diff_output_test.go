package ctl

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pando/ctl/diff"
	"pando/ctl/terminal"
)

// TestVisibleHunks compares texts that differ only in characters that a terminal does not show.
func TestVisibleHunks(t *testing.T) {
	got := coloredHunks(terminal.Palette{}, diff.Hunks("a\r\nb\n", "a\nb\u202e\n"))
	want := []string{"@@ -1,2 +1,2 @@", "-a\u240d", "-b", "+a", "+b\uFFFD"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// fullDisk is an output that takes nothing.
type fullDisk struct{}

var errFull = errors.New("no space left on device")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// TestDiffToAFullDisk checks that differences that can't be printed are not taken for the result.
func TestDiffToAFullDisk(t *testing.T) {
	url, _ := fixed(t, 200, `{"action":"get","node":{"key":"/a","value":"v","modifiedIndex":1,"createdIndex":1}}`)
	var stderr lockedBuffer
	args := []string{"etcdctl", "--no-sync", "--endpoints", url, "diff", "-N", "/a", "-"}
	code := Main(t.Context(), args, strings.NewReader(""), fullDisk{}, &stderr, Host{})
	if code != exitTrouble || !strings.Contains(stderr.String(), errFull.Error()) {
		t.Errorf("exit code %d, want %d: %q", code, exitTrouble, stderr.String())
	}
}
