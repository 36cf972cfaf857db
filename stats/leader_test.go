package stats

import (
	"encoding/json"
	"math"
	"sync"
	"testing"
	"time"
)

// The wanted bodies are those of etcd 3.4.23. It shows milliseconds, and the largest integer as the minimum without a sample.
func TestLeaderJSON(t *testing.T) {
	t.Run("alone", func(t *testing.T) {
		checkBody(t, NewLeader(0xb3e40f155992458f).JSON(), `{"leader":"b3e40f155992458f","followers":{}}`)
	})
	t.Run("nothing sent yet", func(t *testing.T) {
		l := NewLeader(0xb3e40f155992458f)
		l.Add(0x8f344b510597c46a)
		checkBody(t, l.JSON(),
			`{"leader":"b3e40f155992458f","followers":{"8f344b510597c46a":{"latency":{"current":0,"average":0,"standardDeviation":0,`+
				`"minimum":9223372036854776000,"maximum":0},"counts":{"fail":0,"success":0}}}}`)
	})
	t.Run("two followers", func(t *testing.T) {
		l := NewLeader(0x7da38e06e9c6ec71)
		l.Success(0xbef62134e854a165, 891*time.Nanosecond)
		l.Success(0x8221129fa3e0b6b8, 2*time.Millisecond)
		l.Success(0x8221129fa3e0b6b8, 4*time.Millisecond)
		l.Success(0x8221129fa3e0b6b8, 3*time.Millisecond)
		l.Success(0x8221129fa3e0b6b8, 3*time.Millisecond)
		l.Fail(0x8221129fa3e0b6b8)
		l.Add(0x8221129fa3e0b6b8)
		checkBody(t, l.JSON(),
			`{"leader":"7da38e06e9c6ec71","followers":{"8221129fa3e0b6b8":{"latency":{"current":3,"average":3,`+
				`"standardDeviation":0.7071067811865476,"minimum":2,"maximum":4},"counts":{"fail":1,"success":4}},`+
				`"bef62134e854a165":{"latency":{"current":0.000891,"average":0.000891,"standardDeviation":0,"minimum":0.000891,`+
				`"maximum":0.000891},"counts":{"fail":0,"success":1}}}}`)
	})
	t.Run("removed", func(t *testing.T) {
		l := NewLeader(1)
		l.Fail(2)
		l.Retain([]uint64{1, 3})
		checkBody(t, l.JSON(), `{"leader":"1","followers":{}}`)
	})
}

func TestLeaderDeviationAgainstItsDefinition(t *testing.T) {
	l := NewLeader(1)
	var samples []float64
	for i := range 1000 {
		ms := 5000 + float64(i%7)
		samples = append(samples, ms)
		l.Success(2, time.Duration(ms*float64(time.Millisecond)))
	}
	var mean, variance float64
	for _, s := range samples {
		mean += s / float64(len(samples))
	}
	for _, s := range samples {
		variance += (s - mean) * (s - mean) / float64(len(samples))
	}
	var got leaderBody
	if err := json.Unmarshal(l.JSON(), &got); err != nil {
		t.Fatal(err)
	}
	latency := got.Followers["2"].Latency
	if math.Abs(latency.Average-mean) > 1e-6 || math.Abs(latency.StandardDeviation-math.Sqrt(variance)) > 1e-6 {
		t.Errorf("got %+v, want the average %v and the deviation %v", latency, mean, math.Sqrt(variance))
	}
}

func TestLeaderFromManyGoroutines(t *testing.T) {
	l := NewLeader(1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 500 {
				l.Success(uint64(2+i%2), time.Millisecond)
				l.Fail(2)
				l.Add(4)
				l.Retain([]uint64{1, 2, 3})
				l.JSON()
			}
		})
	}
	wg.Wait()
	var got leaderBody
	if err := json.Unmarshal(l.JSON(), &got); err != nil {
		t.Fatal(err)
	}
	if a, b := got.Followers["2"].Counts, got.Followers["3"].Counts; a.Success != 1000 || a.Fail != 2000 || b.Success != 1000 {
		t.Errorf("counted %+v and %+v", a, b)
	}
}
