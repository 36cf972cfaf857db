package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed static
var static embed.FS

// indexName has the name of the first file of the page for each Mode. The name of ReadWrite is also that of the embedded file.
var indexName = [...]string{ReadWrite: "index.html", ReadOnly: "index-readonly.html"}

// The attribute of index.html that tells the scripts the Mode.
const (
	modeReadWrite = `data-mode="on"`
	modeReadOnly  = `data-mode="readonly"`
)

// contentTypes has the types of the files that are served, by the extensions of their names. Other files are not served.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".mjs":  "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// file is a file of the page, and its compressed form.
type file struct {
	contentType       string
	plain, compressed encoded
}

// encoded is a body with its strong ETag.
type encoded struct {
	body []byte
	tag  string
}

// loadFiles returns the files of the page by their names below Path. The first call compresses them, which takes tens of milliseconds. A
// process whose page nobody opens does not pay for it.
var loadFiles = sync.OnceValues(func() (map[string]*file, error) {
	files := map[string]*file{}
	err := fs.WalkDir(static, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || contentTypes[path.Ext(name)] == "" {
			return err
		}
		body, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, "static/")
		files[name] = newFile(name, body)
		if name == indexName[ReadWrite] {
			readOnly := bytes.Replace(body, []byte(modeReadWrite), []byte(modeReadOnly), 1)
			files[indexName[ReadOnly]] = newFile(indexName[ReadOnly], readOnly)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the files of the page, which are in the program: %w", err)
	}
	return files, nil
})

func newFile(name string, body []byte) *file {
	return &file{
		contentType: contentTypes[path.Ext(name)], plain: newEncoded(body), compressed: newEncoded(compress(body)),
	}
}

func newEncoded(body []byte) encoded {
	sum := sha256.Sum256(body)
	return encoded{body, `"` + hex.EncodeToString(sum[:12]) + `"`}
}

// compress returns the body in the format of gzip. The result depends on the body alone.
func compress(body []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is valid
	_, _ = w.Write(body)                                    // a bytes.Buffer returns no errors
	_ = w.Close()
	return out.Bytes()
}

// serve responds with the file, or with 304 if the client has it. A browser asks each time (no-cache), so that the parts of the page are
// always those of one version.
func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	chosen := &f.plain
	h.Set("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		chosen = &f.compressed
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	h.Set("Etag", chosen.tag)
	if matches(r.Header.Values("If-None-Match"), chosen.tag) {
		h.Del("Content-Type")
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(chosen.body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(chosen.body) // an error means that the client is gone
	}
}

// acceptsGzip reports whether a value of Accept-Encoding names gzip without refusing it.
func acceptsGzip(accept string) bool {
	for coding := range strings.SplitSeq(accept, ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if strings.TrimSpace(name) == "gzip" {
			q := strings.TrimSpace(weight)
			return q != "q=0" && !strings.HasPrefix(q, "q=0.0")
		}
	}
	return false
}

// matches reports whether one of the values of If-None-Match has the tag.
func matches(values []string, tag string) bool {
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			if strings.TrimPrefix(strings.TrimSpace(part), "W/") == tag {
				return true
			}
		}
	}
	return false
}
