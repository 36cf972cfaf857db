package conformance

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"pando/members/servertest"
)

// The golden transcripts under testdata/transcripts hold what the reference
// (etcd 3.4.23 --enable-v2) answers; their README explains the format. Nothing
// in these files knows Pando's packages: a transcript is played over HTTP to a
// URL, to either server.

// transcriptReference goes with -update, and without it checks a running reference.
var transcriptReference = flag.String("reference", "",
	"client URL of a running reference of one member, whose keys it may delete, in place of etcd on the PATH")

const (
	transcriptDir  = "testdata/transcripts"
	differencesDoc = "docs/differences.md"
)

// TestTranscripts plays every transcript to Pando: it must answer as the
// reference did, but for the differences that the transcripts name.
func TestTranscripts(t *testing.T) {
	if *servertest.Update {
		t.Skip("recording from the reference: Pando is not played to")
	}
	for _, script := range loadTranscripts(t) {
		t.Run(script.name, func(t *testing.T) {
			t.Parallel()
			server := servertest.StartSingle(t, servertest.Member.StartPando)
			playTranscript(t, script, server, expectPando)
		})
	}
}

// TestTranscriptsMatchReference plays every transcript to the reference itself,
// so that a golden file cannot drift from what it claims to record. With -update
// it writes the files anew.
func TestTranscriptsMatchReference(t *testing.T) {
	if testing.Short() {
		t.Skip("only the reference plays: the long run looks at it")
	}
	if *transcriptReference == "" {
		servertest.RequireEtcd(t)
	}
	for _, script := range loadTranscripts(t) {
		t.Run(script.name, func(t *testing.T) {
			if *transcriptReference != "" && script.endsServer() {
				t.Skip("this transcript shuts its server down: a shared one is not played to")
			}
			server := referenceServer(t)
			if *servertest.Update {
				playTranscript(t, script, server, recordReference)
				script.save(t)
				return
			}
			playTranscript(t, script, server, expectReference)
		})
	}
}

// referenceServer starts etcd for one parallel subtest, or points at the running
// one that -reference names; that one is shared, so its subtests take turns.
func referenceServer(t *testing.T) *servertest.Process {
	if *transcriptReference != "" {
		return servertest.Attach(t, *transcriptReference)
	}
	t.Parallel()
	return servertest.StartSingle(t, servertest.Member.StartEtcd)
}

// TestTranscriptCoverage holds the collection to its promises: its size, and
// that every deliberate difference it names is explained to the users.
func TestTranscriptCoverage(t *testing.T) {
	const atLeast = 250
	exchanges := 0
	anchors := documentedDifferences(t)
	for _, script := range loadTranscripts(t) {
		for _, step := range script.steps {
			if step.request != nil {
				exchanges++
			}
			if step.difference == "" || anchors == nil {
				continue
			}
			if !anchors[step.difference] {
				t.Errorf("%s:%d: difference %q has no heading or anchor in %s",
					script.path, step.line, step.difference, differencesDoc)
			}
		}
	}
	t.Logf("%d exchanges", exchanges)
	if exchanges < atLeast {
		t.Errorf("the transcripts hold %d exchanges, want at least %d", exchanges, atLeast)
	}
}

func loadTranscripts(t *testing.T) []*transcriptScript {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(transcriptDir, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts in %s (error: %v)", transcriptDir, err)
	}
	var scripts []*transcriptScript
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		script, err := parseTranscript(path, string(text))
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, script)
	}
	return scripts
}

// documentedDifferences returns the anchors of docs/differences.md, the names of
// its headings included; nil while that page does not exist.
func documentedDifferences(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(differencesDoc)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return servertest.Anchors(string(text))
}
