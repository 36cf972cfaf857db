package bench

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// A comparison is the result of the same load on two targets in alternation. --compare --json prints it.
type comparison struct {
	A      []*result `json:"a"` // by round: the server of --endpoints
	B      []*result `json:"b"` // by round: the server of --compare
	Ratios []ratio   `json:"ratios"`
}

// A ratio compares a measure of A with the same measure of B.
type ratio struct {
	Measure string  `json:"measure"`
	A       float64 `json:"a"`     // median of the rounds
	B       float64 `json:"b"`     // median of the rounds
	Ratio   float64 `json:"ratio"` // of the medians, A to B
	Min     float64 `json:"min"`   // the smallest ratio of a round
	Max     float64 `json:"max"`   // the largest ratio of a round
	AMin    float64 `json:"aMin"`
	AMax    float64 `json:"aMax"`
	BMin    float64 `json:"bMin"`
	BMax    float64 `json:"bMax"`
}

// measures are the measures that a comparison compares: throughput, then latencies in microseconds.
var measures = []struct {
	name string
	of   func(*result) float64
}{
	{"throughput", func(r *result) float64 { return r.Throughput }},
	{"p50", func(r *result) float64 { return r.Latency.P50 }},
	{"p99", func(r *result) float64 { return r.Latency.P99 }},
	{"p99.9", func(r *result) float64 { return r.Latency.P999 }},
}

// compare runs s against a and b in alternation, A B A B, and calls progress after each run. When ctx ends, it compares the rounds
// that have finished on both.
func compare(ctx context.Context, s scenario, a, b *target, rounds int, progress func(*result)) (*comparison, error) {
	c := &comparison{}
	for _, t := range []*target{a, b} {
		if err := s.prepare(ctx, t); err != nil {
			return c, err
		}
	}
	for range rounds {
		pair := make([]*result, 0, 2)
		for _, t := range []*target{a, b} {
			runtime.GC() // now, so that it does not happen during the run
			r, err := s.run(ctx, t)
			if err != nil {
				return c, err
			}
			if ctx.Err() != nil {
				c.computeRatios()
				return c, nil
			}
			progress(r)
			pair = append(pair, r)
		}
		c.A, c.B = append(c.A, pair[0]), append(c.B, pair[1])
	}
	c.computeRatios()
	return c, nil
}

// computeRatios computes the ratios of the finished rounds.
func (c *comparison) computeRatios() {
	c.Ratios = nil
	if len(c.A) == 0 {
		return
	}
	for _, m := range measures {
		as, bs, ratios := values(c.A, m.of), values(c.B, m.of), make([]float64, len(c.A))
		for i := range ratios {
			ratios[i] = divide(as[i], bs[i])
		}
		c.Ratios = append(c.Ratios, ratio{
			Measure: m.name, A: median(as), B: median(bs), Ratio: divide(median(as), median(bs)),
			Min: slices.Min(ratios), Max: slices.Max(ratios),
			AMin: slices.Min(as), AMax: slices.Max(as), BMin: slices.Min(bs), BMax: slices.Max(bs),
		})
	}
}

func values(list []*result, of func(*result) float64) []float64 {
	v := make([]float64, len(list))
	for i, r := range list {
		v[i] = of(r)
	}
	return v
}

// median returns the middle of v, or the mean of the two in the middle. v is not empty and keeps its order.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// divide returns a/b, or 0 if b is 0.
func divide(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// failed returns the number of failed operations, and of all operations, over all rounds.
func (c *comparison) failed() (failed, requests uint64) {
	for _, r := range slices.Concat(c.A, c.B) {
		failed += r.Failed
		requests += r.Requests
	}
	return failed, requests
}

// write prints the ratios. progress has printed the rounds.
func (c *comparison) write(w io.Writer) error {
	var b strings.Builder
	if len(c.A) == 0 {
		b.WriteString("\nno round was finished: nothing to compare\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	fmt.Fprintf(&b, "\n%s, median of %d rounds\n", c.A[0].Workload, len(c.A))
	fmt.Fprintf(&b, "  %s\n  A  %s\n  B  %s\n\n", settingLine(c.A[0].Setting), c.A[0].Target, c.B[0].Target)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "  \tA\tB\tA/B\tA/B by round\tA min..max\tB min..max\t")
	for _, r := range c.Ratios {
		show := duration
		if r.Measure == "throughput" {
			show = func(v float64) string { return count(v) + "/s" }
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%.2f\t%.2f..%.2f\t%s..%s\t%s..%s\t\n", r.Measure, show(r.A), show(r.B), r.Ratio, r.Min, r.Max,
			show(r.AMin), show(r.AMax), show(r.BMin), show(r.BMax))
	}
	t.Flush() // a string builder takes everything
	errors := &strings.Builder{}
	for _, r := range slices.Concat(c.A, c.B) {
		writeErrors(errors, r.Errors)
	}
	b.WriteString(errors.String())
	_, err := io.WriteString(w, b.String())
	return err
}

// roundLine returns the line of one run of a comparison.
func roundLine(r *result) string {
	return fmt.Sprintf("%-32s %12s %s/s   p50 %-8s p99 %-8s p99.9 %-8s failed %d   generator %.2f cores\n", r.Target, count(r.Throughput),
		r.Unit,
		duration(r.Latency.P50), duration(r.Latency.P99), duration(r.Latency.P999), r.Failed, r.GeneratorCPU)
}
