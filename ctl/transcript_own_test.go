package ctl

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pando/members/servertest"
)

// TestOwnTranscripts replays transcripts of the commands that the legacy client does not have. With -update it writes them anew. A file
// whose name ends with _pando has commands that need Pando; the others have the same results with etcd.
func TestOwnTranscripts(t *testing.T) {
	servertest.SkipShort(t, "every exchange is a process: the long run replays them")
	files, err := filepath.Glob("../testdata/ctl/own/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	t.Run("Pando", func(t *testing.T) {
		t.Parallel()
		cluster := []*server{startPando(t)}
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) { replayOwn(t, file, cluster, *servertest.Update) })
		}
	})
	t.Run("etcd", func(t *testing.T) {
		if *servertest.Update {
			t.Skip("they are written from the answers of Pando")
		}
		t.Parallel()
		cluster := []*server{startReference(t)}
		for _, file := range files {
			if !strings.HasSuffix(file, "_pando.txt") {
				t.Run(filepath.Base(file), func(t *testing.T) { replayOwn(t, file, cluster, false) })
			}
		}
	})
}

// replayOwn replays a file, in which <dir> stands for an empty directory.
func replayOwn(t *testing.T, file string, cluster []*server, update bool) {
	play := newPlay(t, cluster)
	play.labels = append(play.labels, label{"<dir>", t.TempDir()})
	var b strings.Builder
	for _, x := range readTranscript(t, file) {
		got := play.run(t, programs["ours"](t), x)
		if !update && got != x.result {
			t.Errorf("$ %s\ngot:\n%swant:\n%s", x.line, got, x.result)
		}
		for _, c := range x.comments {
			b.WriteString(c + "\n")
		}
		fmt.Fprintf(&b, "$%s %s\n", x.mark, x.line)
		if x.stdin != "" {
			fmt.Fprintf(&b, "< %q\n", x.stdin)
		}
		b.WriteString(got)
	}
	if update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
