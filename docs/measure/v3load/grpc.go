package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
)

// bytesCodec passes the wire form of messages on.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = append((*v.(*[]byte))[:0], data.Materialize()...)
	return nil
}

// runGRPC is runLoad with clients of grpc-go, which encode and decode nothing.
func runGRPC(l load, clients, conns int, endpoints []string, duration time.Duration) (*result, error) {
	var all []*grpc.ClientConn
	for i := range min(conns, clients) {
		c, err := grpc.NewClient("passthrough:///"+endpoints[i%len(endpoints)],
			grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(bytesCodec{})))
		if err != nil {
			return nil, err
		}
		defer c.Close()
		all = append(all, c)
	}
	begin := time.Now()
	var mu sync.Mutex
	var errs error
	r := &result{}
	var running sync.WaitGroup
	for client := range clients {
		running.Go(func() {
			latencies, err := callUntil(l, client, all[client%len(all)], begin.Add(duration))
			mu.Lock()
			defer mu.Unlock()
			r.latencies, errs = append(r.latencies, latencies...), errors.Join(errs, err)
		})
	}
	running.Wait()
	r.requests = len(r.latencies)
	r.rate = float64(len(r.latencies)) / time.Since(begin).Seconds()
	return r, errs
}

func callUntil(l load, client int, c *grpc.ClientConn, end time.Time) (latencies []time.Duration, err error) {
	method := "/etcdserverpb." + l.method()
	var response []byte
	for now := time.Now(); now.Before(end); {
		if err := c.Invoke(context.Background(), method, l.next(client)[messageHead:], &response); err != nil {
			return nil, err
		}
		if err := l.check(client, response); err != nil {
			return nil, err
		}
		last := now
		now = time.Now()
		latencies = append(latencies, now.Sub(last))
	}
	return latencies, nil
}
