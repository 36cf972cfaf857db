package config

import (
	"slices"
	"strings"

	"github.com/xrash/smetrics"
)

// Nearest finds the name that word most likely stands for: one that it begins, else one that a few keystrokes
// turn it into; empty if there is none.
func Nearest(word string, names []string) string {
	word = strings.ToLower(strings.ReplaceAll(word, "_", "-"))
	limit := max(2, len(word)/3)
	if len(word) < 4 {
		limit = 1 // two edits turn a short word into anything
	} else if i := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, word) }); i >= 0 {
		return names[i]
	}
	best, bestDistance := "", limit+1
	for _, name := range names {
		if d := smetrics.WagnerFischer(word, name, 1, 1, 1); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// ExampleValue is a value that the flag would take.
func ExampleValue(spec *flagSpec) string {
	switch {
	case spec.example != "":
		return spec.example
	case spec.def != "" && !strings.Contains(spec.def, "${"):
		return spec.def
	}
	return spec.arg
}

// exampleURL is a URL that the flag would take.
func exampleURL(flag string) string {
	if spec := SpecOf(flag); spec != nil {
		return ExampleValue(spec)
	}
	return DefaultClientURL
}
