package ctl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"
)

// unknownCommand returns the failure for a command that does not exist. Its text names the most similar command.
func unknownCommand(name string, commands []*cli.Command) error {
	text := fmt.Sprintf("No help topic for '%s'\n", name)
	if near := Nearest(name, namesOf(commands)); near != "" {
		text += fmt.Sprintf("Did you mean '%s'?\n", near)
	}
	return &failure{code: exitUnknown, text: text}
}

// Nearest returns the name that a user most likely meant by a word: one that begins with the word, or has the same letters in
// another order, or differs from it by few letters. It is empty if no name is similar enough; a short word allows for fewer
// differences than a long one.
func Nearest(word string, names []string) string {
	const most = 3 // differences
	nearest, fewest := "", most+1
	for _, name := range names {
		differences := smetrics.WagnerFischer(word, name, 1, 1, 1)
		if len(word) > 2 && strings.HasPrefix(name, word) || letters(word) == letters(name) {
			differences = 1
		}
		closer := differences < fewest || differences == fewest && lengthApart(word, name) < lengthApart(word, nearest)
		if closer && 3*differences-1 <= len(word) {
			nearest, fewest = name, differences
		}
	}
	return nearest
}

// lengthApart is the difference between the lengths of two words.
func lengthApart(a, b string) int { return max(len(a)-len(b), len(b)-len(a)) }

// letters returns the letters of a word, sorted.
func letters(word string) string {
	b := []byte(word)
	slices.Sort(b)
	return string(b)
}
