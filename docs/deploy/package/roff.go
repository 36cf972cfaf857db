package main

import (
	"strings"
)

// roff is a man page that is being written, in the language of man(7).
type roff struct {
	strings.Builder
	heading bool // the last line is a heading, after which .PP has no meaning
}

var roffEscapes = strings.NewReplacer(`\`, `\(rs`, "-", `\-`, "'", `\(aq`, "`", "\\(ga", "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`)

// escape returns text that is printed as it is.
func escape(text string) string {
	text = roffEscapes.Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

// title begins the page. The date is that of the release.
func (r *roff) title(name, date, version string) {
	write(r, ".TH %s 1 \"%s\" \"Pando %s\" \"User Commands\"\n", strings.ToUpper(escape(name)), date, version)
}

func (r *roff) section(title string) {
	write(r, ".SH \"%s\"\n", escape(title))
	r.heading = true
}

func (r *roff) subsection(title string) {
	write(r, ".SS \"%s\"\n", escape(title))
	r.heading = true
}

// space separates paragraphs.
func (r *roff) space() {
	if !r.heading {
		write(r, ".PP\n")
	}
	r.heading = false
}

// text writes a line of a paragraph.
func (r *roff) text(line string) {
	write(r, "%s\n", escape(strings.TrimSpace(line)))
	r.heading = false
}

// paragraph writes lines that are filled.
func (r *roff) paragraph(lines ...string) {
	r.space()
	for _, line := range lines {
		r.text(line)
	}
}

// item writes a term and its explanation.
func (r *roff) item(term, explanation string) {
	r.heading = false
	write(r, ".TP\n\\fB%s\\fR\n", escape(term))
	if explanation == "" {
		explanation = " "
	}
	r.text(explanation)
}

// verbatim writes lines as they are.
func (r *roff) verbatim(lines []string) {
	r.space()
	write(r, ".RS 4\n.nf\n")
	for _, line := range lines {
		write(r, "%s\n", escape(line))
	}
	write(r, ".fi\n.RE\n")
}

// blocks writes lines of help: prose is filled, and what is indented is written as it is.
func (r *roff) blocks(lines []string) {
	for _, p := range paragraphs(lines) {
		prose := 0
		for prose < len(p) && !strings.HasPrefix(p[prose], " ") {
			prose++
		}
		if prose > 0 {
			r.paragraph(p[:prose]...)
		}
		if prose < len(p) {
			r.verbatim(p[prose:])
		}
	}
}
