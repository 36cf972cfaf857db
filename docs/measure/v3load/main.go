// Command v3load compares two servers of etcd's v3 API under load, in alternation, and prints lines of a table: the rates of both and their
// ratio, the median of the rounds with the least and the greatest, and the latencies. It checks each response.
//
//	v3load -a NAME=HOST:PORT[,HOST:PORT] -b NAME=HOST:PORT[,HOST:PORT] put/64 range/64 linear/64 txn/64 watch/1000
//	v3load -a NAME=HOST:PORT -fill 500000
//
// A load has a kind and the number of its clients. Each client has one request in flight.
//
//   - put writes keys at random
//   - range reads keys at random, from the state of the member that it asks; linear reads what any member has acknowledged before
//   - txn replaces a key if no other client has changed it, and reads the key otherwise
//   - watch has that number of watches on one key, and -writers clients that write it
//
// With -fill it writes keys one after the other to the first server.
//
//   - main.go: the flags, the rounds and the table
//   - run.go, watch.go: one load on one server
//   - load.go, encode.go: requests, and checks of responses
//   - conn.go: the client of HTTP/2; grpc.go: one of grpc-go in its place
package main

import (
	"flag"
	"fmt"
	"log"
	"slices"
	"strconv"
	"strings"
	"time"
)

// server is one of the servers that are compared.
type server struct {
	name      string
	endpoints []string
	pids      []string // of its processes; may be empty
}

func (s *server) Set(text string) error {
	name, endpoints, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("%q is not NAME=HOST:PORT", text)
	}
	s.name, s.endpoints = name, strings.Split(endpoints, ",")
	return nil
}

func (s *server) String() string { return s.name }

// options are the flags.
type options struct {
	a, b                                       server
	rounds, conns, size, keys                  int
	duration                                   time.Duration
	grpc                                       bool
	writers, changes, streams, watchConns, sum int
}

func main() {
	log.SetFlags(0)
	o := &options{}
	flag.Var(&o.a, "a", "the first server: `NAME=HOST:PORT`, and more members behind commas")
	flag.Var(&o.b, "b", "the second server")
	pids := func(s *server) func(string) error {
		return func(text string) error {
			s.pids = strings.Split(text, ",")
			return nil
		}
	}
	flag.Func("a-pids", "the IDs of the processes of the first server; the table then shows the processor time of a request", pids(&o.a))
	flag.Func("b-pids", "those of the second server", pids(&o.b))
	flag.IntVar(&o.rounds, "rounds", 5, "rounds")
	flag.DurationVar(&o.duration, "duration", time.Second, "of a load on one server in a round")
	flag.IntVar(&o.conns, "conns", 1024, "the largest number of connections; clients share them evenly")
	flag.IntVar(&o.size, "val-size", 256, "bytes of a value")
	flag.IntVar(&o.keys, "keys", 10000, "keys that put, range and linear use")
	flag.BoolVar(&o.grpc, "grpc", false, "use clients of grpc-go, which take more processor time")
	flag.IntVar(&o.writers, "writers", 1, "writers of watch")
	flag.IntVar(&o.changes, "changes", 400, "changes by all writers of watch together")
	flag.IntVar(&o.streams, "streams", 10, "streams of watch")
	flag.IntVar(&o.watchConns, "watch-conns", 10, "connections of watch")
	flag.IntVar(&o.sum, "fill", 0, "write so many keys to the first server, and nothing else")
	flag.Parse()
	if err := o.run(flag.Args()); err != nil {
		log.Fatal("v3load: ", err)
	}
}

func (o *options) run(loads []string) error {
	if o.sum > 0 {
		const clients = 256
		_, err := runLoad(newFill(clients, o.sum, o.size), clients, 8, o.a.endpoints, 0)
		return err
	}
	for _, name := range loads {
		kind, text, _ := strings.Cut(name, "/")
		clients, err := strconv.Atoi(text)
		if err != nil || clients < 1 {
			return fmt.Errorf("the load %q is not KIND/CLIENTS", name)
		}
		if err := o.compare(kind, clients); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// compare runs a load on both servers in turn, and prints a line.
func (o *options) compare(kind string, clients int) error {
	servers := []*server{&o.a, &o.b}
	if o.b.name == "" {
		servers = servers[:1]
	}
	results := make([][]*result, len(servers))
	for _, s := range servers {
		if kind == "range" || kind == "linear" {
			if _, err := runLoad(newFill(64, o.keys, o.size), 64, 8, s.endpoints, 0); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		if kind == "txn" { // the clients learn the revisions of their keys
			if _, err := o.measure(kind, clients, s, 100*time.Millisecond); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	for round := range o.rounds {
		for turn := range servers {
			i := (round + turn) % len(servers) // who comes first in a round may find a colder processor
			before := processorTime(servers[i].pids)
			r, err := o.measure(kind, clients, servers[i], o.duration)
			if err != nil {
				return fmt.Errorf("%s: %w", servers[i].name, err)
			}
			r.cost = (processorTime(servers[i].pids) - before) / time.Duration(max(1, r.requests))
			results[i] = append(results[i], r)
		}
	}
	fmt.Println(line(o.title(kind, clients), results))
	return nil
}

func (o *options) title(kind string, clients int) string {
	switch {
	case kind == "watch":
		return fmt.Sprintf("events to %d watches on %d streams, %d writers", clients, o.streams, o.writers)
	case clients == 1:
		return kind + ", 1 client"
	}
	return fmt.Sprintf("%s, %d clients", kind, clients)
}

// measure runs a load on a server once.
func (o *options) measure(kind string, clients int, s *server, duration time.Duration) (*result, error) {
	var l load
	switch kind {
	case "put":
		l = newPuts(clients, o.keys, o.size)
	case "range", "linear":
		l = newRanges(clients, o.keys, o.size, kind == "range")
	case "txn":
		l = newTxns(clients, o.size)
	case "watch":
		return runWatch(clients, o.streams, o.watchConns, o.writers, o.changes, o.size, s.endpoints)
	default:
		return nil, fmt.Errorf("unknown load %q: put, range, linear, txn or watch", kind)
	}
	if o.grpc {
		return runGRPC(l, clients, o.conns, s.endpoints, duration)
	}
	return runLoad(l, clients, o.conns, s.endpoints, duration)
}

// line returns a line of the table.
func line(title string, results [][]*result) string {
	columns := []string{title}
	rate := func(r *result) float64 { return r.rate }
	for _, list := range results {
		columns = append(columns, fmt.Sprintf("%.0f/s", median(list, rate)))
	}
	if len(results) == 2 {
		var ratios []float64
		for i := range results[0] {
			ratios = append(ratios, results[0][i].rate/results[1][i].rate)
		}
		slices.Sort(ratios)
		columns = append(columns, fmt.Sprintf("%.2f (%.2f..%.2f)", middle(ratios), ratios[0], ratios[len(ratios)-1]))
	}
	for _, share := range []float64{0.5, 0.99, 0.999} {
		columns = append(columns, medians(results, func(r *result) float64 { return float64(r.quantile(share)) / 1e6 }))
	}
	columns = append(columns, medians(results, func(r *result) float64 { return float64(r.cost) / 1e3 }))
	return "| " + strings.Join(columns, " | ") + " |"
}

// medians returns the medians of a value for both servers.
func medians(results [][]*result, value func(*result) float64) string {
	var texts []string
	for _, list := range results {
		texts = append(texts, fmt.Sprintf("%.3g", median(list, value)))
	}
	return strings.Join(texts, " / ")
}

func median(list []*result, value func(*result) float64) float64 {
	var values []float64
	for _, r := range list {
		values = append(values, value(r))
	}
	slices.Sort(values)
	return middle(values)
}

// middle returns the median of sorted values.
func middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
