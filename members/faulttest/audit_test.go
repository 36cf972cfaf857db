package faulttest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pando/members/servertest"
)

// auditLine is one line of an audit log.
type auditLine struct {
	Time, Remote, Principal, Proof, Operation, Key, Outcome, Reason string
	Index                                                           uint64
}

// readAudit returns the lines of an audit log. Each must be JSON. A missing file has no lines.
func readAudit(t *testing.T, file string) (lines []auditLine) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var l auditLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		lines = append(lines, l)
	}
	return lines
}

// TestAuditLog rotates the audit log of a server, and stops the server. No record gets lost, and none contains a value.
func TestAuditLog(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "audit.log")
	p := servertest.Launch(t, t.TempDir(), "--audit-log", file)
	keys := servertest.NewKeyClient(t, p.Client)
	const value = "a-value-that-must-not-be-logged"
	keys.Must(t, "PUT", "/first", servertest.Form("value", value))
	servertest.Await(t, "the first record", func() bool { return len(readAudit(t, file)) > 0 })
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGHUP)
	servertest.Await(t, "a new file", func() bool {
		_, err := os.Stat(file)
		return err == nil && strings.Contains(p.Stderr.String(), "the audit log was opened again")
	})
	second := keys.Must(t, "PUT", "/second", servertest.Form("value", value, "prevExist", "false"))
	if _, err := keys.Do("PUT", "/second", servertest.Form("value", value, "prevValue", value+"-before")); err != nil {
		t.Fatal(err)
	}
	p.Terminate() // writes the rest of the buffer

	old, lines := readAudit(t, file+".1"), readAudit(t, file)
	if len(old) == 0 || old[0].Operation != "set" || old[0].Key != "/first" || old[0].Outcome != "ok" || old[0].Remote == "" {
		t.Errorf("the renamed file has %+v", old)
	}
	if len(lines) != 2 || lines[0].Operation != "create" || lines[0].Index != second.Node.ModifiedIndex ||
		lines[1].Operation != "compare_and_swap" || lines[1].Outcome != "failed" || lines[1].Reason != "Compare failed" {
		t.Errorf("the new file has %+v", lines)
	}
	for _, name := range []string{file, file + ".1"} {
		text, err := os.ReadFile(name)
		if err != nil || strings.Contains(string(text), value) {
			t.Errorf("%v; the audit log has a value: %s", err, text)
		}
	}
}
