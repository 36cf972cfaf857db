package conformance

import (
	"os"
	"slices"
	"strings"
	"testing"

	"pando/members/servertest"
)

// The matrix has the outcome of each operation for each kind of sender, with auth enabled. It was recorded from the reference.

const (
	matrixFile     = "testdata/matrix.txt"
	matrixPreamble = "# Who may do what: the outcomes of etcd 3.4.23 with auth enabled, recorded with -update. The format: operation, " +
		"request,\n# and for each status, with its errorCode, the senders that get it. httpapi/conformance explains the senders.\n"
)

// matrixDeviation is a difference between Pando and the reference.
type matrixDeviation struct {
	operations []string // their names
	principals []string // their names; nil for all
	want       string
	section    string // of docs/differences.md, which explains it
}

// TestMatrix plays the matrix to Pando. The outcomes must be those of the reference, except for the deviations.
func TestMatrix(t *testing.T) {
	servertest.SkipShort(t, "each failed login takes 100 ms")
	if *servertest.Update {
		t.Skip("-update records the reference only")
	}
	t.Parallel()
	want := loadMatrix(t)
	got := startMatrix(t, servertest.Member.StartPando).play(1)
	for _, d := range matrixDeviations {
		d.apply(t, want)
	}
	compareMatrix(t, got, want)
}

// TestMatrixThroughProxy plays the matrix to a proxy, which passes the header Authorization on. It leaves out the senders with a
// certificate.
func TestMatrixThroughProxy(t *testing.T) {
	servertest.SkipShort(t, "TestMatrix plays the same to a member")
	t.Parallel()
	want := loadMatrix(t)
	for _, d := range matrixDeviations {
		d.apply(t, want)
	}
	s := startMatrix(t, servertest.Member.StartPando)
	s.useProxy()
	got := s.play(1)
	for _, o := range matrixOperations {
		for _, p := range matrixPrincipals {
			if p.certificate != "" {
				delete(got[o.name], p.name) // the proxy has no TLS here
				delete(want[o.name], p.name)
			}
		}
	}
	compareMatrix(t, got, want)
}

// TestMatrixMatchesReference plays a part of the matrix to the reference, and all of it with -reference.passwords. With -update it
// records all of it.
func TestMatrixMatchesReference(t *testing.T) {
	servertest.SkipShort(t, "only etcd answers")
	servertest.RequireEtcd(t)
	t.Parallel()
	every := 20
	if *referencePasswords || *servertest.Update {
		every = 1
	}
	got := startMatrix(t, servertest.Member.StartEtcd).play(every)
	if *servertest.Update {
		if err := os.WriteFile(matrixFile, []byte(matrixPreamble+got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := loadMatrix(t)
	for operation, outcomes := range want {
		for principal := range outcomes {
			if got[operation][principal] == "" {
				delete(outcomes, principal) // not played
			}
		}
	}
	compareMatrix(t, got, want)
}

func loadMatrix(t *testing.T) matrix {
	t.Helper()
	text, err := os.ReadFile(matrixFile)
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseMatrix(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func compareMatrix(t *testing.T, got, want matrix) {
	t.Helper()
	for _, o := range matrixOperations {
		for _, p := range matrixPrincipals {
			if g, w := got[o.name][p.name], want[o.name][p.name]; g != w {
				t.Errorf("%s as %s: %s, want %q", o.name, p.name, g, w)
			}
		}
	}
}

// apply changes the outcomes of the reference to those of Pando. A deviation that changes nothing is an error.
func (d *matrixDeviation) apply(t *testing.T, m matrix) {
	t.Helper()
	for _, operation := range d.operations {
		changed := false
		for _, p := range matrixPrincipals {
			if d.principals == nil || slices.Contains(d.principals, p.name) {
				changed = changed || m[operation][p.name] != d.want
				m[operation][p.name] = d.want
			}
		}
		if !changed {
			t.Errorf("%s: the reference has the outcome %s, too", operation, d.want)
		}
	}
}

// TestMatrixDeviations checks that docs/differences.md explains every deviation, and that the names exist.
func TestMatrixDeviations(t *testing.T) {
	anchors := documentedDifferences(t)
	for _, d := range matrixDeviations {
		if !anchors[d.section] {
			t.Errorf("%v: the section %q is not in %s", d.operations, d.section, differencesDoc)
		}
		for _, name := range d.operations {
			if !slices.ContainsFunc(matrixOperations, func(o matrixOperation) bool { return o.name == name }) {
				t.Errorf("there is no operation %q", name)
			}
		}
		for _, name := range d.principals {
			if !slices.ContainsFunc(matrixPrincipals, func(p matrixPrincipal) bool { return p.name == name }) {
				t.Errorf("there is no principal %q", name)
			}
		}
	}
}

// TestMatrixFormat checks that the golden file is what String writes.
func TestMatrixFormat(t *testing.T) {
	text, err := os.ReadFile(matrixFile)
	if err != nil {
		t.Fatal(err)
	}
	if body, found := strings.CutPrefix(string(text), matrixPreamble); !found || loadMatrix(t).String() != body {
		t.Errorf("%s does not have the operations and senders of the tests; record it again with -update", matrixFile)
	}
}

// The sections of docs/differences.md that explain deviations.
const (
	sectionGuests    = "guests-are-checked-like-users"
	sectionCleanPath = "permissions-apply-to-the-clean-path"
	sectionSnapshots = "snapshots-over-http"
	sectionProfiles  = "profiles-are-roots"
	sectionLeader    = "moving-the-leadership"
)

// matrixRoots are the principals with the role root.
var matrixRoots = []string{"root", "admin", "certificate-of-root"}

// matrixDeviations are the differences between Pando and the reference. A later one replaces an earlier one.
var matrixDeviations = []matrixDeviation{
	{
		operations: []string{
			"watch a file and below", "get a file recursively", "list recursively", "list recursively with quorum",
			"put a file with recursive", "delete a file recursively", "delete recursively",
		},
		principals: []string{"guest-exact"}, want: "401/110", section: sectionGuests,
	},
	{
		operations: []string{"get a file with a slash", "list with a slash"},
		principals: []string{"guest-exact", "exact", "several-exact", "certificate-exact"}, want: "200", section: sectionCleanPath,
	},
	{
		operations: []string{"post with a slash"},
		principals: []string{"guest-exact", "exact", "several-exact", "certificate-exact"}, want: "201", section: sectionCleanPath,
	},
	{
		operations: []string{
			"watch a directory", "list with a slash", "list recursively with a slash", "post with a slash", "delete recursively with a slash",
		},
		principals: []string{"guest-below", "below"}, want: "401/110", section: sectionCleanPath,
	},
	{operations: []string{"snapshot", "profile"}, want: "401", section: sectionProfiles},
	{operations: []string{"snapshot"}, principals: matrixRoots, want: "200", section: sectionSnapshots},
	{operations: []string{"profile"}, principals: matrixRoots, want: "200", section: sectionProfiles},
	{operations: []string{"transfer the leadership"}, principals: matrixRoots, want: "404", section: sectionLeader},
}
