package bench

import (
	"sort"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A result is what one run has measured. --json prints it.
type result struct {
	Workload     string            `json:"workload"`
	Target       string            `json:"target"`
	Setting      map[string]string `json:"setting"` // the flags that determine the load
	Requests     uint64            `json:"requests"`
	Succeeded    uint64            `json:"succeeded"`
	Failed       uint64            `json:"failed"`
	Seconds      float64           `json:"seconds"`
	Throughput   float64           `json:"throughput"` // successes per second
	Unit         string            `json:"unit"`       // what is counted, such as requests or events
	Latency      latency           `json:"latencyUs"`
	Histogram    []bucket          `json:"histogram"`
	Parts        []part            `json:"parts,omitempty"` // by kind of operation, if there are several
	Errors       []*errorKind      `json:"errors,omitempty"`
	GeneratorCPU float64           `json:"generatorCPU"` // mean number of cores that the load generator used
	Interrupted  bool              `json:"interrupted,omitempty"`
}

// A part is one kind of operation of a run.
type part struct {
	Name       string  `json:"name"`
	Count      int64   `json:"count"`
	Throughput float64 `json:"throughput"`
	Latency    latency `json:"latencyUs"`
}

// A latency describes a distribution, in microseconds.
type latency struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

// A bucket counts the latencies above From and up to To, in microseconds.
type bucket struct {
	From  float64 `json:"fromUs"`
	To    float64 `json:"toUs"`
	Count int64   `json:"count"`
}

func newLatency(h *hdrhistogram.Histogram) latency {
	if h.TotalCount() == 0 {
		return latency{}
	}
	at := func(percentile float64) float64 { return microseconds(h.ValueAtPercentile(percentile)) }
	return latency{
		Min: microseconds(h.Min()), Mean: h.Mean() / 1e3, P50: at(50), P90: at(90), P95: at(95), P99: at(99), P999: at(99.9),
		Max: microseconds(h.Max()),
	}
}

// fillFrom sets the result to what rec has collected in elapsed time. Successes, throughput, latency
// and histogram are those of the headline classes; failures are those of all classes. If rec has several classes, each is a part.
func (r *result) fillFrom(rec *recorder, elapsed time.Duration, headline ...int) {
	all := newHistogram()
	for _, class := range headline {
		all.Merge(rec.total[class])
	}
	r.Seconds = elapsed.Seconds()
	r.Succeeded = uint64(all.TotalCount())
	r.Failed = rec.failures()
	r.Requests = r.Succeeded + r.Failed
	r.Throughput = perSecond(all.TotalCount(), elapsed)
	r.Latency = newLatency(all)
	r.Histogram = buckets(all)
	if len(rec.classes) > 1 {
		for class, name := range rec.classes {
			h := rec.total[class]
			r.Parts = append(r.Parts, part{
				Name: name, Count: h.TotalCount(), Throughput: perSecond(h.TotalCount(), elapsed), Latency: newLatency(h),
			})
		}
	}
	for _, e := range rec.errors {
		r.Errors = append(r.Errors, e)
	}
	sort.Slice(r.Errors, func(i, j int) bool {
		a, b := r.Errors[i], r.Errors[j]
		return a.Count > b.Count || a.Count == b.Count && a.Kind < b.Kind
	})
}

func perSecond(n int64, elapsed time.Duration) float64 {
	if elapsed <= 0 {
		return 0
	}
	return float64(n) / elapsed.Seconds()
}

// buckets groups h by the steps 1, 2, 5, 10, 20, 50 ... microseconds, from the first step with a latency to the last.
func buckets(h *hdrhistogram.Histogram) []bucket {
	var list []bucket
	from, step := 0.0, 1.0
	bars := h.Distribution()
	for len(bars) > 0 {
		b := bucket{From: from, To: step}
		for len(bars) > 0 && microseconds(bars[0].To) <= step {
			b.Count += bars[0].Count
			bars = bars[1:]
		}
		if b.Count > 0 || len(list) > 0 {
			list = append(list, b)
		}
		from, step = step, nextStep(step)
	}
	for len(list) > 0 && list[len(list)-1].Count == 0 {
		list = list[:len(list)-1]
	}
	return list
}

// nextStep returns the step after step in the series 1, 2, 5, 10, 20, 50 ...
func nextStep(step float64) float64 {
	unit := 1.0
	for unit*10 <= step {
		unit *= 10
	}
	switch {
	case step < 2*unit:
		return 2 * unit
	case step < 5*unit:
		return 5 * unit
	}
	return 10 * unit
}
