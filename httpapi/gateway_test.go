package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

func TestGateway(t *testing.T) {
	f := newFixture(t, nil)
	f.handler = f.clientHandler() // docs/openapi describes v2, and etcd publishes the description of v3
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string // the beginning of the body
	}{
		{"POST", "/v3/cluster/member/list", "{}", 200,
			`{"header":{"cluster_id":"193","member_id":"1","raft_term":"7"},"members":[{"ID":"1","name":"one",`},
		{"POST", "/v3beta/cluster/member/list", `{"linearizable":true,"nope":1}`, 200, `{"header":`},
		{"POST", "/v3alpha/cluster/member/list", "", 200, `{"header":`},
		{"POST", "/v3/cluster/member/promote", `{"ID":"9"}`, 200, `{"header":`},
		{"POST", "/v3/cluster/member/promote", `{"ID":9}`, 200, `{"header":`},
		{"POST", "/v3/cluster/member/add", `{"peerURLs":["x"]}`, 400,
			`{"error":"etcdserver: given member URLs are invalid","message":"etcdserver: given member URLs are invalid","code":3}`},
		{"POST", "/v3/maintenance/transfer-leadership", `{"target_id":"5"}`, 400, `{"error":"etcdserver: bad leader transferee",`},
		{"POST", "/v3/maintenance/transfer-leadership", `{"targetID":"1"}`, 200, `{"header":`},
		{"POST", "/v3/maintenance/status", `{`, 400, `{"error":"proto:`},
		{"POST", "/v3/maintenance/status", `{"x":"` + strings.Repeat("x", 3<<20) + `"}`, 400, `{"error":"etcdserver: request is too large",`},
		{"GET", "/v3/maintenance/status", "", 501, `{"error":"Method Not Allowed","message":"Method Not Allowed","code":12}`},
		{"POST", "/v3/nope", "", 404, `{"error":"Not Found","message":"Not Found","code":5}`},
		{"POST", "/v3", "", 404, `404`},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			w := f.do(c.method, c.path, c.body)
			if w.Code != c.status || !strings.HasPrefix(w.Body.String(), c.want) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if w.Code == http.StatusOK && w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("got %v", w.Header())
			}
		})
	}
	f.awaitMetric(t, `grpc_server_handled_total{grpc_code="OK",grpc_method="MemberList",`+
		`grpc_service="etcdserverpb.Cluster",grpc_type="unary"} 3`)
}
