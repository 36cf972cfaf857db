package bench

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"pando/ctl/terminal"
)

const (
	barInterval = 200 * time.Millisecond
	barSteps    = 1000
)

// An observer moves the progress bar and writes the timeline while a phase runs. The zero value does neither.
type observer struct {
	label    string
	stderr   io.Writer // for the progress bar, if it is a terminal
	timeline *timeline // nil: none is written
}

// begin starts to observe. The function that it returns stops that, writes the rest of the timeline, and removes the bar.
func (o observer) begin(p *pacer, rec *recorder) (end func()) {
	if !terminal.Is(o.stderr) && o.timeline == nil {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		o.observe(p, rec, stop)
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

func (o observer) observe(p *pacer, rec *recorder, stop <-chan struct{}) {
	var barTick, rowTick <-chan time.Time
	var bar *progressbar.ProgressBar
	if terminal.Is(o.stderr) {
		bar = o.newBar(p)
		defer func() { _ = bar.Clear() }()
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
		steps = -1
	}
	return terminal.NewBar(o.stderr, o.label, steps, progressbar.OptionSetPredictTime(true))
}

func moveBar(bar *progressbar.ProgressBar, p *pacer) {
	if fraction := p.progress(); fraction >= 0 {
		_ = bar.Set64(int64(fraction * barSteps))
		return
	}
	_ = bar.Add64(1)
}

// A timeline writes one line of CSV for each second of a run. It shows the effect of short events, such as a checkpoint. The
// last line may stand for less than a second.
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

// add writes a line with the operations in rec.second, which the last call of rec.collect has filled.
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
