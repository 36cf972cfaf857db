package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
)

const histogramWidth = 50

// write prints r as text.
func (r *result) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", r.Workload, r.Target)
	fmt.Fprintf(&b, "  %s\n\n", settingLine(r.Setting))
	if r.Interrupted {
		b.WriteString("  interrupted: this is what was measured until then\n\n")
	}
	fmt.Fprintf(&b, "  throughput   %s %s/s   (%s in %.2f s, %s failed)\n", count(r.Throughput), r.Unit,
		humanize.Comma(int64(r.Succeeded)), r.Seconds, humanize.Comma(int64(r.Failed)))
	fmt.Fprintf(&b, "  generator    %.2f cores busy\n\n", r.GeneratorCPU)
	if r.Succeeded > 0 {
		r.writeLatency(&b)
	}
	writeHistogram(&b, r.Histogram)
	writeErrors(&b, r.Errors)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *result) writeLatency(b *strings.Builder) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "  latency\tp50\tp90\tp95\tp99\tp99.9\tmax\tmean\t\n")
	row := func(name string, l latency) {
		fmt.Fprintf(t, "  %s\t", name)
		for _, us := range []float64{l.P50, l.P90, l.P95, l.P99, l.P999, l.Max, l.Mean} {
			fmt.Fprintf(t, "%s\t", duration(us))
		}
		fmt.Fprintln(t)
	}
	if len(r.Parts) == 0 || r.Unit == "requests" {
		row("all", r.Latency)
	}
	for _, p := range r.Parts {
		row(p.Name, p.Latency)
	}
	t.Flush() // a string builder takes everything
	for _, p := range r.Parts {
		fmt.Fprintf(b, "  %s: %s, %s/s\n", p.Name, humanize.Comma(p.Count), count(p.Throughput))
	}
}

func writeHistogram(b *strings.Builder, list []bucket) {
	if len(list) == 0 {
		return
	}
	most := int64(1)
	for _, k := range list {
		most = max(most, k.Count)
	}
	b.WriteString("\n  histogram\n")
	for _, k := range list {
		line := fmt.Sprintf("  %8s .. %-8s %12s |%s", duration(k.From), duration(k.To), humanize.Comma(k.Count),
			strings.Repeat("∎", int(k.Count*histogramWidth/most)))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

func writeErrors(b *strings.Builder, list []*errorKind) {
	if len(list) == 0 {
		return
	}
	b.WriteString("\n  errors\n")
	for _, e := range list {
		fmt.Fprintf(b, "  %12s  %s\n", humanize.Comma(int64(e.Count)), e.Kind)
		if e.First != "" {
			fmt.Fprintf(b, "                the first: %s\n", e.First)
		}
	}
}

// settings lists the flags that determine a load, in the order of the output.
var settings = []string{
	"conns", "clients", "watchers", "mode", "watched-keys", "window", "locks", "quorum", "read-ratio", "key-size", "val-size",
	"key-space-size", "directories", "sequential-keys", "total", "duration", "rate", "warmup",
}

func settingLine(setting map[string]string) string {
	var parts []string
	for _, name := range settings {
		if v, ok := setting[name]; ok {
			parts = append(parts, name+"="+v)
		}
	}
	return strings.Join(parts, " ")
}

// count formats a number per second, with one decimal below 100.
func count(v float64) string {
	if v < 100 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return humanize.Comma(int64(v + 0.5))
}

// duration formats microseconds with three significant digits.
func duration(us float64) string {
	switch {
	case us < 1e3:
		return digits(us) + "us"
	case us < 1e6:
		return digits(us/1e3) + "ms"
	}
	return digits(us/float64(time.Second/time.Microsecond)) + "s"
}

func digits(v float64) string {
	switch {
	case v == float64(int64(v)) || v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
