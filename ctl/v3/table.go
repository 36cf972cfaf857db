package v3

import (
	"strings"
	"unicode/utf8"
)

// table is a list of rows below a line of titles, in a frame. Titles stand in the middle of their columns, cells at the right.
type table struct {
	titles []string
	rows   [][]string
}

// write appends the table.
func (tb *table) write(t *text) {
	widths := make([]int, len(tb.titles))
	for _, row := range append([][]string{tb.titles}, tb.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	rule := func(left, middle, right string) {
		parts := make([]string, len(widths))
		for i, w := range widths {
			parts[i] = strings.Repeat("─", w+2)
		}
		t.linef("%s%s%s", left, strings.Join(parts, middle), right)
	}
	row := func(cells []string, place func(cell string, width int) string) {
		parts := make([]string, len(cells))
		for i, cell := range cells {
			parts[i] = " " + place(cell, widths[i]) + " "
		}
		t.linef("│%s│", strings.Join(parts, "│"))
	}
	rule("┌", "┬", "┐")
	row(tb.titles, centered)
	rule("├", "┼", "┤")
	for _, cells := range tb.rows {
		row(cells, atRight)
	}
	rule("└", "┴", "┘")
}

// centered puts a cell in the middle of its column.
func centered(cell string, width int) string {
	space := width - utf8.RuneCountInString(cell)
	return strings.Repeat(" ", space/2) + cell + strings.Repeat(" ", space-space/2)
}

// atRight puts a cell at the right of its column.
func atRight(cell string, width int) string {
	return strings.Repeat(" ", width-utf8.RuneCountInString(cell)) + cell
}
