// Package top observes a cluster: its members, their rates and latencies, and the subtrees that change most.
//
// Package ctl calls it. A Sampler asks the members; its methods belong to one goroutine. A Heat counts the events of a stream; any
// goroutine may call its methods. A Report is made from two samples and a Heat, and is not changed afterwards.
//
// The files: sample.go (Sampler), report.go (Report: what has changed between two samples), histogram.go (latencies), heat.go (Heat),
// table.go (a Report as lines).
package top
