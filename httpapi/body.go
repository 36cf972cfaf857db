package httpapi

import (
	"net/http"
	"time"

	v2 "pando/httpapi/v2"
)

// limitBodyTime closes the connection of a client that takes longer than timeout to send the body of a request. Without it
// net/http would wait for ever for the part of a body that a handler has not read. A handler that has read the whole body removes
// the deadline. A request without a body has none, so it does not apply to most long polls.
func limitBodyTime(timeout time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			v2.SetReadDeadline(w, time.Now().Add(timeout))
		}
		next.ServeHTTP(w, r)
	})
}
