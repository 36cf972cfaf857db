package docs

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// The longest lines, in characters. A tab is one.
const (
	maxDocColumns  = 160
	maxCodeColumns = 140
)

// TestLineWidth finds lines that are too long to read beside another page. Answers of servers, in fenced blocks of the
// pages and in raw strings of tests, are as long as they are.
func TestLineWidth(t *testing.T) {
	for _, page := range docPages(t) {
		fenced := false
		for i, line := range strings.Split(page.text, "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				fenced = !fenced
			}
			if n := utf8.RuneCountInString(line); n > maxDocColumns && !fenced {
				t.Errorf("%s:%d: %d columns, more than %d", page.file, i+1, n, maxDocColumns)
			}
		}
	}
	for _, file := range goFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if n := utf8.RuneCountInString(line); n > maxCodeColumns {
				t.Errorf("%s:%d: %d columns, more than %d", file, i+1, n, maxCodeColumns)
			}
		}
	}
}
