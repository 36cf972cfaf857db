// Package tuning sets the Go runtime for a server that holds a tree in memory: how
// many processors it uses, how much garbage may collect, how much memory there is, and
// when memory is given back to the system. What the environment says of these things
// (GOMAXPROCS, GOGC, GOMEMLIMIT) wins.
package tuning
