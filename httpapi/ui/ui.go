// Package ui serves a web page for people at /ui/. The page browses and changes keys, and shows the state of the cluster.
//
// The page is static. Its scripts use the HTTP API of the server, with the name and the password that a person types. So the page can do
// what this person may do, and the package grants no rights.
//
//   - ui.go: Mode and Handler
//   - files.go: the embedded files and their responses
//   - static/: the page: HTML, CSS and ES modules, which browsers run as they are
//   - static/vendor/: Preact and htm, with their licences and checksums
//   - browser/: tests in a real browser
//
// A Handler may be called by any number of goroutines.
package ui

import (
	"net/http"
	"strings"
)

// Path is the path of the page. Everything that the page loads is below it.
const Path = "/ui/"

// relativePath is Path, relative to Path without its final slash.
const relativePath = "ui/"

// Mode says what the page shows.
type Mode int

// The modes of the page.
const (
	ReadWrite Mode = iota // everything
	ReadOnly              // no controls that change something
)

// contentSecurityPolicy allows the files of the page and requests to its own server, and nothing else. There are no inline scripts and
// styles.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// Handler returns a handler for GET and HEAD requests for Path, for everything below it, and for Path without its final slash.
//
// ReadOnly protects nothing: it hides controls. The server checks the rights of each request of the page as it does for other clients.
func Handler(mode Mode) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET,HEAD")
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		name, below := strings.CutPrefix(r.URL.Path, Path)
		if !below {
			// The location is relative, so that it is right below the prefix of a reverse proxy, too.
			w.Header().Set("Location", relativePath)
			w.WriteHeader(http.StatusMovedPermanently)
			return
		}
		if name == "" {
			name = indexName[mode]
		}
		files, err := loadFiles()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		file, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		file.serve(w, r)
	})
}
