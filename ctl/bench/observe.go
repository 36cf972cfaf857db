package bench

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

const (
	barInterval = 200 * time.Millisecond
	barSteps    = 1000
)

// An observer looks on while a phase runs: it moves the progress bar and writes the timeline. The zero value does
// neither.
type observer struct {
	label    string
	terminal io.Writer // nil for no progress bar
	timeline *timeline // nil for none
}

// terminalOf returns w if it is a terminal, and otherwise nil.
func terminalOf(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// begin starts looking on. The function it returns ends that, writes the rest of the timeline, and takes the bar away.
func (o observer) begin(p *pacer, rec *recorder) (end func()) {
	if o.terminal == nil && o.timeline == nil {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		o.look(p, rec, stop)
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

func (o observer) look(p *pacer, rec *recorder, stop <-chan struct{}) {
	var barTick, rowTick <-chan time.Time
	var bar *progressbar.ProgressBar
	if o.terminal != nil {
		bar = o.newBar(p)
		defer func() { _ = bar.Clear() }() // a bar that cannot be cleared is no reason to fail
		ticker := time.NewTicker(barInterval)
		defer ticker.Stop()
		barTick = ticker.C
	}
	if o.timeline != nil {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		rowTick = ticker.C
	}
	for {
		select {
		case <-barTick:
			moveBar(bar, p)
		case <-rowTick:
			rec.collect()
			o.timeline.add(rec)
		case <-stop:
			if o.timeline != nil {
				rec.collect()
				o.timeline.add(rec)
			}
			return
		}
	}
}

func (o observer) newBar(p *pacer) *progressbar.ProgressBar {
	steps := int64(barSteps)
	if p.progress() < 0 {
		steps = -1 // a spinner
	}
	return progressbar.NewOptions64(steps,
		progressbar.OptionSetWriter(o.terminal),
		progressbar.OptionSetDescription(o.label),
		progressbar.OptionSetWidth(30),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(),
	)
}

func moveBar(bar *progressbar.ProgressBar, p *pacer) {
	if fraction := p.progress(); fraction >= 0 {
		_ = bar.Set64(int64(fraction * barSteps)) // drawing is best effort
		return
	}
	_ = bar.Add64(1)
}

// A timeline writes one line of CSV for each second of a run, so that what happens at moments, such as a checkpoint,
// can be seen. The last line may stand for less than a second.
type timeline struct {
	w      io.Writer
	second int
	err    error // the first failed write
}

func newTimeline(w io.Writer) *timeline {
	t := &timeline{w: w}
	_, t.err = fmt.Fprintln(w, "second,ops,p99.9_us,max_us")
	return t
}

// add writes what rec collected last.
func (t *timeline) add(rec *recorder) {
	t.second++
	h := rec.second
	_, err := fmt.Fprintf(t.w, "%d,%d,%.1f,%.1f\n", t.second, h.TotalCount(),
		microseconds(h.ValueAtPercentile(99.9)), microseconds(h.Max()))
	if t.err == nil {
		t.err = err
	}
}

func microseconds(ns int64) float64 { return float64(ns) / 1e3 }
