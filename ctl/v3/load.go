package v3

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/time/rate"

	"pando/ctl/terminal"
	"pando/ctl/v3/client"
)

// Sizes of the keys and values of a load, in bytes.
const (
	loadKeySize   = 256
	loadValueSize = 1024
)

// load is writes by many clients at once: total of them, or as many as rate allows in duration.
type load struct {
	client   *client.Client
	prefix   string
	clients  int
	rate     int // writes in a second; 0: no limit
	duration time.Duration
	total    int
}

// loadResult is what came of a load.
type loadResult struct {
	done            int
	took            time.Duration
	slowest, stddev time.Duration
	errors          map[string]int // number of failed writes by the text of the error
}

// collector adds up the results of writes.
type collector struct {
	mu           sync.Mutex
	result       loadResult
	sum, squares float64 // of the times, in seconds
}

// add adds one write.
func (c *collector) add(took time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.result.errors[err.Error()]++
		return
	}
	c.result.done++
	c.result.slowest = max(c.result.slowest, took)
	c.sum += took.Seconds()
	c.squares += took.Seconds() * took.Seconds()
}

// run executes the load until it is done or ctx is. expected is the number of writes, for the bar on a terminal.
func (l *load) run(ctx context.Context, stderr io.Writer, expected int) loadResult {
	ending := ctx
	if l.duration > 0 {
		var cancel context.CancelFunc
		ending, cancel = context.WithTimeout(ctx, l.duration)
		defer cancel()
	}
	limiter := rate.NewLimiter(rate.Inf, 1)
	if l.rate > 0 {
		limiter = rate.NewLimiter(rate.Limit(l.rate), 1)
	}
	bar := terminal.NewBar(stderr, "writing", int64(expected))
	c := &collector{result: loadResult{errors: map[string]int{}}}
	writes := make(chan struct{})
	go func() {
		defer close(writes)
		for i := 0; l.total == 0 || i < l.total; i++ {
			if limiter.Wait(ending) != nil {
				return
			}
			select {
			case writes <- struct{}{}:
			case <-ending.Done():
				return
			}
		}
	}()
	began := time.Now()
	var group sync.WaitGroup
	for range l.clients {
		group.Go(func() {
			for range writes {
				sent := time.Now()
				err := l.write(ctx)
				c.add(time.Since(sent), err)
				_ = bar.Add(1)
			}
		})
	}
	group.Wait()
	_ = bar.Clear()
	c.result.took = time.Since(began)
	if n := float64(c.result.done); n > 0 {
		mean := c.sum / n
		c.result.stddev = time.Duration(math.Sqrt(max(c.squares/n-mean*mean, 0)) * float64(time.Second))
	}
	return c.result
}

// write writes one key with a random name.
func (l *load) write(ctx context.Context) error {
	key, value := make([]byte, loadKeySize), make([]byte, loadValueSize)
	rand.Read(key)
	_, err := l.client.KV.Put(ctx, &pb.PutRequest{Key: append([]byte(l.prefix), key...), Value: value})
	return err
}

// processMemory returns the resident memory of the process at the first endpoint, in bytes, from its metrics.
func (p *program) processMemory(ctx context.Context, cl *client.Client) (int64, error) {
	config, err := p.globals.tlsConfig(p.globals.tls)
	if err != nil {
		return 0, err
	}
	endpoint := cl.Endpoints()[0]
	if !strings.Contains(endpoint, "://") {
		endpoint = "http://" + endpoint
		if config != nil {
			endpoint = "https://" + strings.TrimPrefix(endpoint, "http://")
		}
	}
	ctx, cancel := p.limited(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "process_resident_memory_bytes "); ok {
			bytes, err := strconv.ParseFloat(value, 64)
			return int64(bytes), err
		}
	}
	return 0, fmt.Errorf("%s/metrics has no process_resident_memory_bytes", endpoint)
}
