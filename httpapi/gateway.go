package httpapi

import (
	"net/http"

	"pando/httpapi/stream"
	v3 "pando/httpapi/v3"
)

// serveGateway serves a request of the JSON gateway. Some of its methods wait: they must notice that the client goes away.
func serveGateway(s *v3.Server, w http.ResponseWriter, r *http.Request) {
	defer stream.DetectClose(r.Context())()
	s.ServeHTTP(w, r)
}
