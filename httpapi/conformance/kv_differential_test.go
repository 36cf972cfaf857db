package conformance

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pando/members/servertest"
)

// The differential test of the v3 API sends the same random requests by gRPC to the reference and to Pando, and compares all responses,
// errors and events of watches. kv_gen*_test.go generate the requests, kv_side_test.go sends them to one server, kv_watch_test.go holds the
// watches, kv_normal_test.go removes what differs between two servers of one program, and kv_rules_test.go has the deliberate differences.

var (
	kvSteps         = flag.Int("kv.n", 1000, "number of requests of the differential test of the v3 API")
	kvLeaseRequests = flag.Bool("kv.leases", true, "the differential test of the v3 API sends requests to the service Lease, too")
	kvSeed          = flag.Uint64("kv.seed", 1, "seed of the first sequence of the differential test of the v3 API")
)

const (
	kvSequence = 100 // requests of a sequence
	kvPairs    = 2   // pairs of servers that work in parallel
	kvFailed   = 3   // failed sequences after which the test ends
)

// TestDifferentialKV checks that clients of the v3 API can't tell Pando from etcd, except for the deliberate differences.
func TestDifferentialKV(t *testing.T) {
	servertest.SkipShort(t, "it starts four servers")
	t.Parallel()
	references := map[string]string{"3.4": servertest.RequireEtcd(t)}
	if etcd37 != "" {
		references["3.7"] = filepath.Join(etcd37, "etcd")
	}
	for version, program := range references {
		t.Run(version, func(t *testing.T) {
			run := &kvRun{version: version}
			var wait sync.WaitGroup
			for range kvPairs {
				pair := newKVPair(t, version, program)
				wait.Go(func() { run.play(t, pair) })
			}
			wait.Wait()
			t.Logf("%d requests, %d events compared in %d sequences from seed %d; rules %v", run.requests.Load(), run.events.Load(),
				run.next.Load(), *kvSeed, run.rules.String())
		})
	}
}

// kvRun is the state that the pairs share.
type kvRun struct {
	version          string
	next             atomic.Uint64 // number of the next sequence
	requests, events atomic.Int64
	failed           atomic.Int64
	rules            kvRuleCounts
}

func (r *kvRun) play(t *testing.T, pair *kvPair) {
	for r.requests.Load() < int64(*kvSteps) && r.failed.Load() < kvFailed {
		seed := *kvSeed + r.next.Add(1) - 1
		steps := newKVGenerator(r.version, seed).sequence(kvSequence)
		err := pair.play(t.Context(), steps)
		r.requests.Add(int64(len(steps)))
		if err == nil {
			r.events.Add(int64(pair.events))
			r.rules.add(pair.fired)
			continue
		}
		r.failed.Add(1)
		if errors.Is(err, errServerGone) {
			t.Error(err)
			return
		}
		steps, err = shrinkKV(steps, err, func(steps []kvStep) error { return pair.play(t.Context(), steps) })
		var text strings.Builder
		for _, step := range steps {
			fmt.Fprintf(&text, "  %s\n", step)
		}
		t.Errorf("Pando differs from etcd %s; repeat it with -kv.seed=%d -kv.n=1\n%s%v", r.version, seed, text.String(), err)
	}
}

// shrinkKV looks for some seconds for a shorter sequence that still differs, and returns it with its difference.
func shrinkKV(steps []kvStep, found error, try func([]kvStep) error) ([]kvStep, error) {
	deadline := time.Now().Add(shrinkTime / 10)
	for size := len(steps) / 2; size >= 1; size /= 2 {
		for begin := 0; begin < len(steps) && time.Now().Before(deadline); {
			end := min(begin+size, len(steps))
			shorter := append(append([]kvStep{}, steps[:begin]...), steps[end:]...)
			err := try(shorter)
			if errors.Is(err, errServerGone) { // the sequence has ended it
				return steps, found
			}
			if err != nil {
				steps, found = shorter, err
				continue
			}
			begin = end
		}
	}
	return steps, found
}
