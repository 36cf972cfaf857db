// Package browser has only tests: they use the page of package ui in a real browser, as a person would, with Debian's chromium.
//
//   - chromium_test.go: the browser and its tabs. A tab whose console has an error, or that violates its Content-Security-Policy, fails
//   - person_test.go: what a person does: click, type, press keys, read; locate_test.go: how elements are found
//   - server_test.go: the servers, and their keys
//   - axe_test.go: rules of accessibility
//   - the others: the tests of one part of the page each
//   - namespace_*_test.go: a network that no other test changes
//
// All tests share one chromium. Each tab has cookies and storage of its own, and tests run in parallel, each with a server of its own. Only
// those that measure how long the page does not react run alone.
package browser
