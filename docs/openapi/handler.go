package openapi

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
)

// Handler returns a handler for GET and HEAD requests for the description. It responds with 304 if the client has the description. The
// handler may be called from any goroutine.
func Handler() http.Handler {
	sum := sha256.Sum256(JSON)
	tag, size := `"`+hex.EncodeToString(sum[:16])+`"`, strconv.Itoa(len(JSON))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("ETag", tag)
		h.Set("Cache-Control", "no-cache") // another version of the server has another description
		if matches(r.Header["If-None-Match"], tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", size)
		_, _ = w.Write(JSON) // an error means that the client is gone
	})
}

// matches reports whether the values of If-None-Match have a tag.
func matches(values []string, tag string) bool {
	for _, value := range values {
		for known := range strings.SplitSeq(value, ",") {
			if known = strings.TrimPrefix(strings.TrimSpace(known), "W/"); known == tag || known == "*" {
				return true
			}
		}
	}
	return false
}
