package program

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pando/members/servertest"
)

func TestHelp(t *testing.T) {
	var out, errOut strings.Builder
	if err := run(t.Context(), []string{"pando", "--help"}, &out, &errOut); err != nil {
		t.Fatal(err)
	}
	got := out.String()

	t.Run("matches the golden file", func(t *testing.T) {
		golden := filepath.Join("testdata", "help.txt")
		if *servertest.Update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("pando --help differs from %s; run go test ./ctl/program -run TestHelp -update and read the diff.\ngot:\n%s", golden, got)
		}
	})
	t.Run("help as a word", func(t *testing.T) {
		var out strings.Builder
		if err := run(t.Context(), []string{"pando", "help"}, &out, &errOut); err != nil || out.String() != got {
			t.Errorf("pando help: %v, %q", err, out.String())
		}
	})
	t.Run("says nothing on standard error", func(t *testing.T) {
		if errOut.Len() > 0 {
			t.Errorf("got %q", errOut.String())
		}
	})
}
