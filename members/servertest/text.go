package servertest

import (
	"crypto/sha256"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	headingLine = regexp.MustCompile(`(?m)^#+[ \t]+(.+?)[ \t]*$`)
	htmlAnchor  = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	notInSlug   = regexp.MustCompile(`[^\pL\pN _-]+`)
)

// Anchors returns the anchors of a Markdown page: those of its headings and those in HTML tags.
func Anchors(text string) map[string]bool {
	anchors := map[string]bool{}
	for _, m := range headingLine.FindAllStringSubmatch(text, -1) {
		slug := notInSlug.ReplaceAllString(strings.ToLower(m[1]), "")
		anchors[strings.ReplaceAll(slug, " ", "-")] = true
	}
	for _, m := range htmlAnchor.FindAllStringSubmatch(text, -1) {
		anchors[m[1]] = true
	}
	return anchors
}

// Lines returns the lines of a file of this repository without empty lines and comments.
func Lines(t testing.TB, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

// ReplaceGroups replaces each match of re in text by the result of replacement. groups[0] is the match.
func ReplaceGroups(re *regexp.Regexp, text string, replacement func(groups []string) string) string {
	return re.ReplaceAllStringFunc(text, func(s string) string {
		return replacement(re.FindStringSubmatch(s))
	})
}

// Fingerprint returns a hash of the names and contents of all files below a directory.
func Fingerprint(t testing.TB, dir string) string {
	t.Helper()
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		sum.Write([]byte(path))
		if !d.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(path)
		sum.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(sum.Sum(nil))
}
