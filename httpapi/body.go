package httpapi

import (
	"net/http"
	"time"

	v2 "pando/httpapi/v2"
)

// limitBodyTime closes the connection of a client that takes longer than timeout to send the body of a request. Without the
// deadline net/http would wait for ever for the part of a body that a handler has not read. A handler that has read the whole body
// must remove the deadline; package v2 does so in endBody. Requests without a body, such as most long polls, get no deadline.
func limitBodyTime(timeout time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			v2.SetReadDeadline(w, time.Now().Add(timeout))
		}
		next.ServeHTTP(w, r)
	})
}
