package diff

import (
	"slices"
	"strings"
)

// lineOp says what happens to a line on the way from one text to another.
type lineOp byte

const (
	keep   lineOp = ' '
	remove lineOp = '-'
	insert lineOp = '+'
)

// line is one line of a comparison of two texts, with its line break, if it has one.
type line struct {
	op   lineOp
	text string
}

// maxEdits bounds the number of lines that compareLines removes and inserts one by one. Texts that differ in more lines are compared as
// blocks, because the time grows with the square of the number.
const maxEdits = 2000

// compareLines returns the lines of two texts. It removes and inserts as few as possible.
func compareLines(a, b string) []line {
	before, after := splitLines(a), splitLines(b)
	var lines []line
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		lines = append(lines, line{keep, before[0]})
		before, after = before[1:], after[1:]
	}
	same := 0 // lines at the end
	for same < len(before) && same < len(after) && before[len(before)-1-same] == after[len(after)-1-same] {
		same++
	}
	end := before[len(before)-same:]
	lines = append(lines, shortestEdit(before[:len(before)-same], after[:len(after)-same])...)
	for _, text := range end {
		lines = append(lines, line{keep, text})
	}
	return lines
}

// splitLines splits a text after each line break.
func splitLines(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	}
	return lines
}

// shortestEdit finds the fewest lines to remove and insert, by the algorithm of Myers ("An O(ND) Difference Algorithm and Its Variations").
func shortestEdit(a, b []string) []line {
	limit := min(len(a)+len(b), maxEdits)
	// furthest[limit+1+k] is the largest number of lines of a that d edits can use on the diagonal k: lines of a minus lines of b.
	furthest := make([]int, 2*limit+3)
	at := func(k int) *int { return &furthest[limit+1+k] }
	var trace [][]int // furthest[-d..d] before each number of edits
	for d := 0; d <= limit; d++ {
		trace = append(trace, append([]int(nil), furthest[limit+1-d-1:limit+1+d+2]...))
		for k := -d; k <= d; k += 2 {
			x := *at(k + 1)
			if k == d || k != -d && *at(k - 1) >= *at(k + 1) {
				x = *at(k - 1) + 1
			}
			if d == 0 {
				x = 0
			}
			for x < len(a) && x-k < len(b) && x >= 0 && x-k >= 0 && a[x] == b[x-k] {
				x++
			}
			*at(k) = x
			if x >= len(a) && x-k >= len(b) {
				return backtrack(a, b, trace, d)
			}
		}
	}
	var lines []line
	for _, text := range a {
		lines = append(lines, line{remove, text})
	}
	for _, text := range b {
		lines = append(lines, line{insert, text})
	}
	return lines
}

// backtrack returns the lines of the path that ends after d edits. trace[d] has the diagonals -d-1 to d+1 before these edits.
func backtrack(a, b []string, trace [][]int, d int) []line {
	lines := make([]line, 0, len(a)+len(b))
	x, y := len(a), len(b)
	for ; d > 0; d-- {
		before := func(k int) int { return trace[d][k+d+1] }
		k := x - y
		op, from := remove, k-1
		if k == -d || k != d && before(k-1) < before(k+1) {
			op, from = insert, k+1
		}
		startX := before(from)
		startY := startX - from
		afterX, afterY := startX, startY // after the edit
		if op == remove {
			afterX++
		} else {
			afterY++
		}
		for x > afterX && y > afterY {
			x, y = x-1, y-1
			lines = append(lines, line{keep, a[x]})
		}
		if op == remove {
			lines = append(lines, line{remove, a[startX]})
		} else {
			lines = append(lines, line{insert, b[startY]})
		}
		x, y = startX, startY
	}
	for x > 0 {
		x--
		lines = append(lines, line{keep, a[x]})
	}
	slices.Reverse(lines)
	return lines
}
