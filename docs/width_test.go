package docs

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// The longest lines, in characters. A tab is one character.
const (
	maxPageColumns = 160
	maxCodeColumns = 140
)

// TestPageWidth finds lines of pages that are too long. Fenced blocks show what programs print, and are not checked.
func TestPageWidth(t *testing.T) {
	for _, page := range docPages(t) {
		fenced := false
		for i, line := range strings.Split(page.text, "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				fenced = !fenced
			}
			if n := utf8.RuneCountInString(line); n > maxPageColumns && !fenced {
				t.Errorf("%s:%d: %d columns, more than %d", page.file, i+1, n, maxPageColumns)
			}
		}
	}
}

// TestCodeWidth finds lines of code that are too long.
func TestCodeWidth(t *testing.T) {
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
