package main

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protowire"
)

// watchers are the watches of one connection, on one key.
type watchers struct {
	conn    *conn
	streams []watchStream
	created int
	events  int
	// event is the event that was decoded last, and revision its revision: the other watches get the same event.
	event    []byte
	revision uint64
}

// watchStream has the revision of the last event of each watch of a stream.
type watchStream struct{ last []uint64 }

// runWatch measures how many events a second reach all watches, with writers that change the key a number of times.
func runWatch(watches, streams, conns, writers, changes, size int, endpoints []string) (*result, error) {
	key := []byte("/bench/watched")
	var all []*watchers
	for i := range conns {
		w, err := openWatches(endpoints[i%len(endpoints)], key, streams/conns, watches/streams)
		if err != nil {
			return nil, err
		}
		defer w.conn.net.Close()
		all = append(all, w)
	}
	l := newFill(writers, changes, size)
	l.key = key
	errs := make([]error, len(all))
	begin := time.Now()
	var running sync.WaitGroup
	for i, w := range all {
		running.Go(func() { errs[i] = w.await(changes) })
	}
	written, err := runLoad(l, writers, writers, endpoints, 0)
	running.Wait()
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	events := watches * changes
	return &result{rate: float64(events) / time.Since(begin).Seconds(), latencies: written.latencies, requests: events}, nil
}

// openWatches opens a connection with streams, each with a number of watches, and waits until all have begun.
func openWatches(endpoint string, key []byte, streams, each int) (*watchers, error) {
	c, err := dial(endpoint)
	if err != nil {
		return nil, err
	}
	w := &watchers{conn: c, streams: make([]watchStream, streams)}
	c.message = w.message
	c.ended = func(*stream) error { return errors.New("the server ends a stream of watches") }
	var creates []byte
	for range each {
		creates = append(creates, frame(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
			CreateRequest: &pb.WatchCreateRequest{Key: key},
		}})...)
	}
	for i := range streams {
		w.streams[i].last = make([]uint64, each)
		if err := c.open("Watch/Watch", i, creates, false); err != nil {
			return nil, err
		}
	}
	for w.created < streams*each {
		if err := c.step(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// await returns when all watches have got a number of events.
func (w *watchers) await(changes int) error {
	want := changes
	total := 0
	for i := range w.streams {
		total += want * len(w.streams[i].last)
	}
	for w.events < total {
		if err := w.conn.net.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		for range 1000 {
			if w.events == total {
				break
			}
			if err := w.conn.step(); err != nil {
				return fmt.Errorf("after %d of %d events: %w", w.events, total, err)
			}
		}
	}
	return nil
}

// message counts the events of a response. Those of a watch must be in the order of their revisions.
func (w *watchers) message(s *stream, response []byte) (err error) {
	id, created := uint64(0), false
	stream := &w.streams[s.client]
	failed := fields(response, func(field protowire.Number, number uint64, contents []byte) {
		switch field {
		case 2:
			id = number
		case 3:
			created = true
		case 4:
			err = errors.New("the server cancels a watch")
		case 11:
			var revision uint64
			if revision, err = w.revisionOf(contents); err != nil {
				return
			}
			if id >= uint64(len(stream.last)) || revision <= stream.last[id] {
				err = fmt.Errorf("an event of the watch %d with the revision %d, not above the one before", id, revision)
				return
			}
			stream.last[id] = revision
			w.events++
		}
	})
	if created {
		w.created++
	}
	return errors.Join(failed, err)
}

// revisionOf returns the revision of an event.
func (w *watchers) revisionOf(event []byte) (uint64, error) {
	if bytes.Equal(event, w.event) {
		return w.revision, nil
	}
	kv, err := field1(event, 2)
	if err != nil {
		return 0, err
	}
	f, err := fileOf(kv)
	w.event, w.revision = append(w.event[:0], event...), f.revision
	return f.revision, err
}
