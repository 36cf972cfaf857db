// Package program is the command line of the whole of Pando: the server, which the bare program is, and the verbs
// beside it (ctl, snapshot). It reads the command line, says what is wrong with it and what would be right, and turns
// every end into an exit code that a supervisor can act on.
//
// Main is called by main, and by the tests that start the program as a process. It runs on the caller's goroutine and
// handles the process' signals, so it is called once at a time.
package program
