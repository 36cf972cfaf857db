package config

import (
	"slices"
	"strings"

	"github.com/xrash/smetrics"
)

// Nearest returns the name that is probably meant by word: the first one that begins with it, or else the one with the
// smallest edit distance. It returns "" if all are too different.
func Nearest(word string, names []string) string {
	word = strings.ToLower(strings.ReplaceAll(word, "_", "-"))
	limit := max(2, len(word)/3)
	if len(word) < 4 {
		limit = 1 // with two edits a short word matches almost any other
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
