package conformance

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pando/members/servertest"
)

// The golden transcripts under testdata/transcripts contain the responses of the reference (etcd 3.4.23 --enable-v2). Their
// README explains the format. A transcript is played over HTTP to the URL of either server: these files use none of Pando's
// packages.

// referencePasswords makes the comparisons with the reference whole. The reference takes 50 ms of a processor for each request with a
// password, which is minutes in all. The version of the reference is fixed, so what was recorded from it does not change.
var referencePasswords = flag.Bool("reference.passwords", false,
	"compare all transcripts, the whole matrix, more random requests of users, and a mirror with users with the reference")

// transcriptReference is the running reference to check, or to record with -update.
var transcriptReference = flag.String("reference", "",
	"client URL of a running reference with one member, used in place of etcd on the PATH; the tests delete its keys")

const (
	transcriptDir  = "testdata/transcripts"
	differencesDoc = "docs/differences.md"
)

// TestTranscripts plays every transcript to Pando, and with -short every third. Its responses must be those of the reference, except for
// the differences that the transcripts name.
func TestTranscripts(t *testing.T) {
	if *servertest.Update {
		t.Skip("-update records the reference only")
	}
	for i, script := range loadTranscripts(t, transcriptDir) {
		if testing.Short() && i%3 != 0 {
			continue
		}
		t.Run(script.name, func(t *testing.T) {
			t.Parallel()
			server := servertest.StartSingle(t, startComparedPando)
			playTranscript(t, script, server, expectPando)
		})
	}
}

// startComparedPando starts Pando with the settings of the reference that Pando's own defaults bound: the number of logins that fail.
func startComparedPando(m servertest.Member, t testing.TB, flags ...string) *servertest.Process {
	t.Helper()
	return m.StartPando(t, append(flags, "--max-failed-logins", "0")...)
}

// TestTranscriptsMatchReference plays transcripts to the reference, so that a golden file can't differ from the reference that it claims
// to record: every third one, and all with -reference.passwords or -reference. With -update it writes the files again.
func TestTranscriptsMatchReference(t *testing.T) {
	servertest.SkipShort(t, "only etcd answers")
	if *transcriptReference == "" {
		servertest.RequireEtcd(t)
	}
	for i, script := range loadTranscripts(t, transcriptDir) {
		if i%3 != 0 && !*referencePasswords && !*servertest.Update && *transcriptReference == "" {
			continue
		}
		t.Run(script.name, func(t *testing.T) {
			if strings.HasPrefix(script.name, "auth_") && script.name != "auth_enable" && !*referencePasswords && !*servertest.Update {
				t.Skip("the reference hashes many passwords: -reference.passwords plays it")
			}
			if *transcriptReference != "" && script.spoilsServer() {
				t.Skip("this transcript shuts its server down or changes its users, and the reference is shared")
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

// referenceServer starts etcd for one parallel subtest. With -reference it returns the running server instead: its subtests are
// not parallel, because they share it.
func referenceServer(t *testing.T) *servertest.Process {
	if *transcriptReference != "" {
		return servertest.Attach(t, *transcriptReference)
	}
	t.Parallel()
	return servertest.StartSingle(t, servertest.Member.StartEtcd)
}

// TestTranscriptCoverage checks the number of exchanges, and that the documentation explains every difference that a transcript
// names.
func TestTranscriptCoverage(t *testing.T) {
	const atLeast = 250
	exchanges := 0
	anchors := documentedDifferences(t)
	for _, script := range loadTranscripts(t, transcriptDir) {
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
		t.Errorf("the transcripts have %d exchanges, want at least %d", exchanges, atLeast)
	}
}

// loadTranscripts returns the transcripts in a directory.
func loadTranscripts(t *testing.T, dir string) []*transcriptScript {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts in %s (error: %v)", dir, err)
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

// documentedDifferences returns the anchors and the headings of docs/differences.md, or nil if that page does not exist.
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
