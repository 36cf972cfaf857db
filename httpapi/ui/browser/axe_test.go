package browser

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testdata is the directory of the files of the tests. Tests run in the root of the module.
const testdata = "httpapi/ui/browser/testdata"

// checkAccessible fails the test if axe finds a violation of the rules of WCAG 2.2 A and AA, or of its best practices, in what the page
// shows now.
func (p *tab) checkAccessible(state string) {
	p.t.Helper()
	script, err := os.ReadFile(filepath.Join(testdata, "axe.min.js"))
	if err != nil {
		p.t.Fatal(err)
	}
	var loaded bool
	if p.eval(`!!globalThis.axe`, &loaded); !loaded {
		p.eval(string(script)+`; true`, nil)
	}
	var violations []struct {
		ID, Help string
		Nodes    []struct{ HTML, FailureSummary string }
	}
	p.eval(`axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations)`, &violations)
	for _, v := range violations {
		for _, n := range v.Nodes[:min(3, len(v.Nodes))] {
			p.t.Errorf("%s: axe: %s: %s\n%s\n%s", state, v.ID, v.Help, n.HTML, n.FailureSummary)
		}
	}
}

// TestVendoredFiles compares axe with its checksum.
func TestVendoredFiles(t *testing.T) {
	sums, err := os.ReadFile(filepath.Join(testdata, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(sums)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		body, err := os.ReadFile(filepath.Join(testdata, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(body); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s is not the file whose checksum is in SHA256SUMS", name)
		}
	}
}
