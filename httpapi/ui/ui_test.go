package ui_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pando/httpapi/ui"
)

// get requests a path from the handler of a mode.
func get(mode ui.Mode, method, path string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	if header != nil {
		r.Header = header
	}
	w := httptest.NewRecorder()
	ui.Handler(mode).ServeHTTP(w, r)
	return w
}

func TestHandler(t *testing.T) {
	for _, test := range []struct {
		method, path string
		status       int
		contentType  string
		body         string // a part of it
	}{
		{"GET", "/ui/", 200, "text/html; charset=utf-8", `data-mode="on"`},
		{"GET", "/ui/app.js", 200, "text/javascript; charset=utf-8", "import"},
		{"GET", "/ui/vendor/preact.mjs", 200, "text/javascript; charset=utf-8", "export"},
		{"GET", "/ui/style.css", 200, "text/css; charset=utf-8", ":root"},
		{"GET", "/ui/icon.svg", 200, "image/svg+xml", "<svg"},
		{"HEAD", "/ui/app.js", 200, "text/javascript; charset=utf-8", ""},
		{"GET", "/ui/vendor/SHA256SUMS", 404, "text/plain; charset=utf-8", "not found"},
		{"GET", "/ui/vendor", 404, "text/plain; charset=utf-8", "not found"},
		{"GET", "/ui/none.js", 404, "text/plain; charset=utf-8", "not found"},
		{"POST", "/ui/", 405, "text/plain; charset=utf-8", "Method Not Allowed"},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			w := get(ui.ReadWrite, test.method, test.path, nil)
			if w.Code != test.status || w.Header().Get("Content-Type") != test.contentType || !strings.Contains(w.Body.String(), test.body) {
				t.Errorf("%d %v %.200s", w.Code, w.Header(), w.Body)
			}
		})
	}
}

func TestReadOnlyPage(t *testing.T) {
	w := get(ui.ReadOnly, "GET", "/ui/", nil)
	if body := w.Body.String(); !strings.Contains(body, `data-mode="readonly"`) || strings.Contains(body, `data-mode="on"`) {
		t.Errorf("the page is %s", body)
	}
	if tag := w.Header().Get("Etag"); tag == "" || tag == get(ui.ReadWrite, "GET", "/ui/", nil).Header().Get("Etag") {
		t.Errorf("the ETag %q is that of the other mode", tag)
	}
}

func TestSecurityHeaders(t *testing.T) {
	for _, path := range []string{"/ui/", "/ui/app.js", "/ui/icon.svg"} {
		h := get(ui.ReadWrite, "GET", path, nil).Header()
		policy := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestCaching(t *testing.T) {
	plain := get(ui.ReadWrite, "GET", "/ui/app.js", nil)
	packed := get(ui.ReadWrite, "GET", "/ui/app.js", http.Header{"Accept-Encoding": {"br, gzip;q=0.8"}})
	t.Run("the compressed form has the same content", func(t *testing.T) {
		if packed.Header().Get("Content-Encoding") != "gzip" || packed.Header().Get("Vary") != "Accept-Encoding" {
			t.Fatalf("%v", packed.Header())
		}
		r, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil || string(body) != plain.Body.String() {
			t.Errorf("%v: %d bytes, not %d", err, len(body), plain.Body.Len())
		}
	})
	t.Run("gzip that is refused", func(t *testing.T) {
		if w := get(ui.ReadWrite, "GET", "/ui/app.js", http.Header{"Accept-Encoding": {"gzip;q=0"}}); w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%v", w.Header())
		}
	})
	t.Run("a known tag", func(t *testing.T) {
		tag := packed.Header().Get("Etag")
		w := get(ui.ReadWrite, "GET", "/ui/app.js", http.Header{"Accept-Encoding": {"gzip"}, "If-None-Match": {`"x", W/` + tag}})
		if w.Code != http.StatusNotModified || w.Body.Len() != 0 || w.Header().Get("Etag") != tag {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		if tag == plain.Header().Get("Etag") {
			t.Error("both forms have the same tag")
		}
	})
}

// TestVendoredFiles compares the libraries with their checksums. Each library is listed, and has a licence.
func TestVendoredFiles(t *testing.T) {
	dir := filepath.Join("static", "vendor")
	compareSums(t, dir)
	for _, name := range []string{"preact.LICENSE", "htm.LICENSE"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// compareSums compares the files of a directory with the checksums in its file SHA256SUMS. README.md needs none.
func compareSums(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]string{}
	for line := range strings.Lines(string(text)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		wanted[name] = sum
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if name == "SHA256SUMS" || name == "README.md" {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != wanted[name] {
			t.Errorf("%s is not the file whose checksum is in SHA256SUMS; README.md says how to update it", name)
		}
		delete(wanted, name)
	}
	for name := range wanted {
		t.Errorf("%s is missing", name)
	}
}

// TestRedirect follows the redirect of the path without its slash, also below the prefix of a reverse proxy.
func TestRedirect(t *testing.T) {
	w := get(ui.ReadWrite, "GET", "/ui", nil)
	for base, want := range map[string]string{
		"http://a/ui": "http://a/ui/", "https://b/pando/ui?x=1": "https://b/pando/ui/",
	} {
		at, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		if to, err := at.Parse(w.Header().Get("Location")); err != nil || w.Code != http.StatusMovedPermanently || to.String() != want {
			t.Errorf("%s: %d, %v: %v", base, w.Code, to, err)
		}
	}
}
