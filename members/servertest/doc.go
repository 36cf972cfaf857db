// Package servertest starts real servers in tests, as net/http/httptest does for handlers: processes of Pando, whose
// program is the test binary itself, processes of the reference, and clusters of both, on addresses that nobody else
// has. It holds what tests of servers share besides: a client of the keys, waiting, raw connections.
//
// A package that uses it hands its TestMain to Main. All functions fail the test by themselves and are called from the
// test's own goroutine, unless they say otherwise; what they start is stopped at the end of the test.
package servertest
