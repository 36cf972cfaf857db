package bench

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	h := newHistogram()
	for _, us := range []int64{3, 4, 15, 15, 15, 700, 1500} {
		if err := h.RecordValue(us * 1000); err != nil {
			t.Fatal(err)
		}
	}
	want := []bucket{{2, 5, 2}, {5, 10, 0}, {10, 20, 3}, {20, 50, 0}, {50, 100, 0}, {100, 200, 0}, {200, 500, 0}, {500, 1000, 1}, {1000,
		2000, 1}}
	if got := buckets(h); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if got := buckets(newHistogram()); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}

func TestRecorder(t *testing.T) {
	rec := newRecorder([]string{"get", "put"})
	rec.start = time.Now()
	last := rec.start
	for i := range 1000 {
		last = rec.start.Add(time.Duration(i) * time.Millisecond)
		rec.record(i, i%2, time.Duration(i+1)*time.Microsecond, last)
	}
	rec.fail("HTTP 500", 2, []byte("first\n"))
	rec.fail("HTTP 500", 1, []byte("second"))
	if got := rec.collect(); !got.Equal(last) {
		t.Errorf("the latest operation ended %v after the start", got.Sub(rec.start))
	}
	rec.record(0, 0, time.Second, last)
	rec.collect()
	if got := rec.second.TotalCount(); got != 1 {
		t.Errorf("the last interval has %d operations, want 1", got)
	}
	var r result
	r.fillFrom(rec, last.Sub(rec.start), 0, 1)
	if r.Succeeded != 1001 || r.Failed != 3 || r.Requests != 1004 {
		t.Errorf("got %d + %d = %d", r.Succeeded, r.Failed, r.Requests)
	}
	if r.Latency.P50 < 495 || r.Latency.P50 > 505 || r.Latency.P99 < 985 || r.Latency.P99 > 995 || r.Latency.Max < 999_000 {
		t.Errorf("latency %+v", r.Latency)
	}
	if r.Parts[0].Count != 501 || r.Parts[1].Count != 500 || r.Parts[1].Name != "put" {
		t.Errorf("parts %+v", r.Parts)
	}
	if len(r.Errors) != 1 || *r.Errors[0] != (errorKind{Kind: "HTTP 500", Count: 3, First: "first"}) {
		t.Errorf("errors %+v", r.Errors)
	}
	t.Run("kinds of errors are bounded", func(t *testing.T) {
		for i := range 1000 {
			rec.fail(fmt.Sprint("kind ", i), 1, nil)
		}
		if len(rec.errors) > maxErrorKinds+1 || rec.failures() != 1003 {
			t.Errorf("%d kinds, %d failures", len(rec.errors), rec.failures())
		}
	})
}

func TestComparisonRatios(t *testing.T) {
	run := func(throughput, p50 float64) *result {
		return &result{Workload: "put", Throughput: throughput, Latency: latency{P50: p50, P99: 2 * p50, P999: 3 * p50}}
	}
	c := &comparison{
		A: []*result{run(300, 10), run(100, 20), run(200, 15)},
		B: []*result{run(100, 20), run(100, 20), run(50, 60)},
	}
	c.computeRatios()
	want := ratio{Measure: "throughput", A: 200, B: 100, Ratio: 2, Min: 1, Max: 4, AMin: 100, AMax: 300, BMin: 50, BMax: 100}
	if c.Ratios[0] != want {
		t.Errorf("got %+v, want %+v", c.Ratios[0], want)
	}
	if p50 := c.Ratios[1]; p50.Ratio != 0.75 || p50.Min != 0.25 || p50.Max != 1 {
		t.Errorf("p50: %+v", p50)
	}
	var b strings.Builder
	if err := c.write(&b); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"median of 3 rounds", "2.00", "1.00..4.00", "200/s", "p99.9"} {
		if !strings.Contains(b.String(), text) {
			t.Errorf("%q is missing in\n%s", text, b.String())
		}
	}
	t.Run("an even number of rounds", func(t *testing.T) {
		if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("no round finished", func(t *testing.T) {
		var b strings.Builder
		empty := &comparison{}
		empty.computeRatios()
		if err := empty.write(&b); err != nil || !strings.Contains(b.String(), "nothing to compare") {
			t.Errorf("%v %q", err, b.String())
		}
	})
}

func TestDuration(t *testing.T) {
	for us, want := range map[float64]string{0.5: "0.50us", 48: "48us", 48.31: "48.3us", 999: "999us", 1500: "1.50ms", 250_000: "250ms",
		2e6: "2s"} {
		if got := duration(us); got != want {
			t.Errorf("%v: got %s, want %s", us, got, want)
		}
	}
}
