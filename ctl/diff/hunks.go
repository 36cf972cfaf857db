package diff

import (
	"fmt"
	"strings"
)

// context is the number of equal lines that a hunk shows before and after a difference.
const context = 3

// Hunks returns the differences of two texts in the form of "diff -u", line by line, without the lines that name the files. Each line
// begins with "@@", "-", "+", a blank or a backslash, and has no line break. There are none if the texts are equal.
func Hunks(a, b string) []string {
	all := compareLines(a, b)
	var out []string
	lineA, lineB := 0, 0 // of the first line that is not shown yet
	for i := 0; i < len(all); {
		next := i
		for next < len(all) && all[next].op == keep {
			next++
		}
		if next == len(all) {
			break
		}
		start := max(i, next-context)
		lineA, lineB = lineA+start-i, lineB+start-i
		end := hunkEnd(all, next)
		hunk := all[start:end]
		countA, countB := counts(hunk)
		out = append(out, fmt.Sprintf("@@ -%s +%s @@", position(lineA, countA), position(lineB, countB)))
		for _, l := range hunk {
			text, ended := strings.CutSuffix(l.text, "\n")
			out = append(out, string(l.op)+text)
			if !ended {
				out = append(out, `\ No newline at the end`)
			}
		}
		lineA, lineB, i = lineA+countA, lineB+countB, end
	}
	return out
}

// hunkEnd returns the end of a hunk whose first difference is at first: differences with few equal lines between them are in one hunk.
func hunkEnd(all []line, first int) int {
	last := first
	for i := first; i < len(all) && i <= last+2*context; i++ {
		if all[i].op != keep {
			last = i
		}
	}
	return min(last+1+context, len(all))
}

// counts returns how many lines of a hunk are in the first text, and how many in the second.
func counts(hunk []line) (a, b int) {
	for _, l := range hunk {
		if l.op != insert {
			a++
		}
		if l.op != remove {
			b++
		}
	}
	return a, b
}

// position is the place of a hunk: its first line, counted from 1, and its number of lines.
func position(line, count int) string {
	if count > 0 {
		line++
	}
	if count == 1 {
		return fmt.Sprint(line)
	}
	return fmt.Sprintf("%d,%d", line, count)
}
