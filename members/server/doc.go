// Package server runs one member of a cluster, or one proxy in front of it: it finds the cluster, opens the data,
// listens, wires the other rooms together, and stops them in order.
//
// Serve is called once, by the program, and returns when all is closed and on disk. Nothing else here is called from
// outside but what explains its errors and what finds the members of a cluster that is restored.
package server
