package terminal

import "os"

// Palette colors texts for one output. The zero value leaves them as they are.
type Palette struct{ on bool }

// Colors returns the Palette for an output: it has colors if the output is a terminal that has them, unless the variable NO_COLOR is set.
func Colors(output any) Palette {
	term := os.Getenv("TERM")
	return Palette{on: Is(output) && os.Getenv("NO_COLOR") == "" && term != "dumb" && term != ""}
}

// Bold, Red, Green, Yellow and Cyan return a text in that style. The text must be on one line.
func (p Palette) Bold(text string) string   { return p.style("1", text) }
func (p Palette) Red(text string) string    { return p.style("31", text) }
func (p Palette) Green(text string) string  { return p.style("32", text) }
func (p Palette) Yellow(text string) string { return p.style("33", text) }
func (p Palette) Cyan(text string) string   { return p.style("36", text) }

// Reverse returns a text with the colors of the text and the background exchanged.
func (p Palette) Reverse(text string) string { return p.style("7", text) }

func (p Palette) style(code, text string) string {
	if !p.on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
