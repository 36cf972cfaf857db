// Package diff compares subtrees and texts.
//
// A subtree is a sequence of nodes in the order of client.CompareKeys, such as client.Client.Walk returns. Merge pairs the nodes of two
// such sequences while it reads them, so that subtrees of any size need little memory. A Sorter brings the nodes of a file into this order,
// with a temporary file for what exceeds its limit. Criteria say which nodes are equal. Hunks shows the lines in which two texts differ.
//
// Packages ctl and ctl/migrate call it. The functions may be called from any goroutine; a Sorter belongs to one goroutine.
//
// The files: merge.go (Merge), criteria.go (Criteria), sorter.go (Sorter), lines.go (the differing lines of two texts), hunks.go (Hunks).
package diff
