package docs

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"pando/members/servertest"
)

var markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestDocsLinks follows the links of all pages to files and headings of this repository.
func TestDocsLinks(t *testing.T) {
	links := 0
	for _, page := range docPages(t) {
		for _, target := range linksOf(page.text) {
			links++
			if problem := brokenLink(page.file, target); problem != "" {
				t.Errorf("%s links to %s: %s", page.file, target, problem)
			}
		}
	}
	if links < 20 {
		t.Errorf("only %d links found", links)
	}
}

// linksOf gives the targets of the links to this repository.
func linksOf(text string) []string {
	var targets []string
	for _, m := range markdownLink.FindAllStringSubmatch(inlineCode.ReplaceAllString(text, ""), -1) {
		if !strings.Contains(m[1], "://") && !strings.HasPrefix(m[1], "mailto:") {
			targets = append(targets, m[1])
		}
	}
	return targets
}

// brokenLink says what is wrong with a link in file; empty for nothing.
func brokenLink(file, target string) string {
	name, anchor, _ := strings.Cut(target, "#")
	if name = path.Join(path.Dir(file), name); strings.HasPrefix(target, "#") {
		name = file
	}
	info, err := os.Stat(name)
	if err != nil {
		return err.Error()
	}
	if anchor == "" || info.IsDir() {
		return ""
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	if !servertest.Anchors(string(text))[anchor] {
		return "no heading gives this anchor"
	}
	return ""
}
