package top

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"pando/ctl/client"
)

// bucket is a bucket of a histogram: the number of values up to a bound and above the bound before.
type bucket struct{ bound, count float64 }

// durations returns the histogram of the requests of some operations between two samples of one member, in seconds.
func durations(before, after client.Metrics, operations []string) []bucket {
	sums := map[float64]float64{} // up to the bound
	for key, count := range after {
		const name = "pando_request_duration_seconds_bucket{"
		if !strings.HasPrefix(key, name) || !slices.Contains(operations, client.Label(key, "operation")) {
			continue
		}
		if bound, err := strconv.ParseFloat(client.Label(key, "le"), 64); err == nil {
			sums[bound] += max(0, count-before[key])
		}
	}
	buckets := make([]bucket, 0, len(sums))
	for bound, count := range sums {
		buckets = append(buckets, bucket{bound, count})
	}
	slices.SortFunc(buckets, func(a, b bucket) int { return cmp.Compare(a.bound, b.bound) })
	for i := len(buckets) - 1; i > 0; i-- {
		buckets[i].count -= buckets[i-1].count
	}
	return buckets
}

// quantile returns the value below which a part q of all values lies, as if the values of a bucket were spread evenly. It is nil without
// values.
func quantile(buckets []bucket, q float64) *float64 {
	total := 0.0
	for _, b := range buckets {
		total += b.count
	}
	if total == 0 {
		return nil
	}
	left, lower := q*total, 0.0
	for _, b := range buckets {
		if left <= b.count && b.count > 0 {
			value := lower
			if !math.IsInf(b.bound, 1) {
				value += (b.bound - lower) * left / b.count
			}
			return &value
		}
		left -= b.count
		if !math.IsInf(b.bound, 1) {
			lower = b.bound
		}
	}
	return &lower
}
