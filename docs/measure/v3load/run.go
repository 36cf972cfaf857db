package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// result is what a load has measured on one server.
type result struct {
	rate      float64 // a second
	latencies []time.Duration
	requests  int           // or events
	cost      time.Duration // processor time of the server for a request
}

// quantile returns the latency below which a share of the requests was.
func (r *result) quantile(share float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	slices.Sort(r.latencies)
	return r.latencies[min(len(r.latencies)-1, int(share*float64(len(r.latencies))))]
}

// processorTime returns the user and system time of processes, in steps of 10 ms; 0 on systems that do not report it.
func processorTime(pids []string) (sum time.Duration) {
	const tick = 10 * time.Millisecond
	for _, pid := range pids {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			continue
		}
		var user, system int
		_, behindName, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(behindName); len(fields) > 12 {
			user, _ = strconv.Atoi(fields[11])
			system, _ = strconv.Atoi(fields[12])
		}
		sum += time.Duration(user+system) * tick
	}
	return sum
}

// runLoad runs a load for a duration, or until its clients have no more requests if that is zero.
func runLoad(l load, clients, conns int, endpoints []string, duration time.Duration) (*result, error) {
	var all []*conn
	for i := range min(conns, clients) {
		c, err := dial(endpoints[i%len(endpoints)])
		if err != nil {
			return nil, err
		}
		defer c.net.Close()
		all = append(all, c)
	}
	latencies := make([][]time.Duration, len(all))
	errs := make([]error, len(all))
	begin := time.Now()
	var end time.Time
	if duration > 0 {
		end = begin.Add(duration)
	}
	var running sync.WaitGroup
	for i, c := range all {
		running.Go(func() { latencies[i], errs[i] = c.runClosed(l, i, len(all), clients, end) })
	}
	running.Wait()
	took := time.Since(begin)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	r := &result{latencies: slices.Concat(latencies...)}
	r.requests = len(r.latencies)
	r.rate = float64(r.requests) / took.Seconds()
	return r, nil
}

// runClosed runs the clients first, first+step, ... : each sends its next request when the last one was answered.
func (c *conn) runClosed(l load, first, step, clients int, end time.Time) (latencies []time.Duration, err error) {
	method := l.method()
	c.message = func(s *stream, message []byte) error {
		s.messages++
		return l.check(s.client, message)
	}
	c.ended = func(s *stream) error {
		if s.messages != 1 {
			return fmt.Errorf("a call with %d responses", s.messages)
		}
		now := time.Now()
		latencies = append(latencies, now.Sub(s.begun))
		if !end.IsZero() && now.After(end) {
			return nil
		}
		return c.next(l, method, s.client)
	}
	for client := first; client < clients; client += step {
		if err := c.next(l, method, client); err != nil {
			return nil, err
		}
	}
	for len(c.streams) > 0 {
		if err := c.step(); err != nil {
			return nil, err
		}
	}
	return latencies, nil
}

func (c *conn) next(l load, method string, client int) error {
	request := l.next(client)
	if request == nil {
		return nil
	}
	return c.open(method, client, request, true)
}
