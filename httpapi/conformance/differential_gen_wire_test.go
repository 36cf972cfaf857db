package conformance

import "strings"

// keyRequest returns a request for a key. It puts the parameters in the query or in a form, and chooses the framing.
func (g *generator) keyRequest(method, key string, ps []parameter) *transcriptRequest {
	var query, body []string
	takesForm := method == "PUT" || method == "POST"
	split := g.oneIn(4)
	inBody := takesForm && g.oneIn(2) || g.oneIn(60)
	for _, p := range ps {
		if split {
			inBody = takesForm && g.oneIn(2)
		}
		if inBody || len(p.value) > 0 && strings.Contains(p.value, "*60000") && takesForm {
			body = append(body, p.String())
		} else {
			query = append(query, strings.ReplaceAll(strings.ReplaceAll(p.String(), " ", "+"), "*60000", "*500"))
		}
	}
	r := plainRequest(method, "/v2/keys"+key)
	if len(query) > 0 || g.oneIn(50) {
		r.target += "?" + strings.Join(query, "&")
	}
	if len(body) > 0 || takesForm && g.oneIn(40) {
		r.body, r.hasBody = strings.Join(body, "&"), true
		if kind := g.contentType(); kind != "" {
			r.headers = append(r.headers, "Content-Type: "+kind)
		}
		g.frame(r)
	}
	g.addHeaders(r)
	return r
}

func (g *generator) contentType() string {
	if !g.oneIn(15) {
		return transcriptFormType
	}
	return g.pick(
		"",
		"application/x-www-form-urlencoded; param=value",
		"application/x-www-form-urlencoded;charset=utf-8",
		"APPLICATION/X-WWW-FORM-URLENCODED",
		"text/plain",
		"application/json",
		"application/octet-stream",
		"application/x-www-form-urlencoded;",
		"application/x-www-form-urlencoded; =",
		"form",
		"/",
		"multipart/form-data; boundary=x",
	)
}

// frame chooses how the body is sent.
func (g *generator) frame(r *transcriptRequest) {
	if r.body != "" && g.oneIn(12) {
		r.headers = append(r.headers, "Transfer-Encoding: chunked")
	}
	if g.oneIn(40) && r.method != "GET" && r.method != "HEAD" { // clients send no Expect for a body that is ignored
		r.headers = append(r.headers, "Expect: 100-continue")
	}
}

// addHeaders sometimes adds headers that have no meaning for the API, or changes the protocol to HTTP/1.0.
func (g *generator) addHeaders(r *transcriptRequest) {
	switch g.IntN(120) {
	case 0:
		if !r.hasHeader("Transfer-Encoding") && !r.hasHeader("Expect") { // HTTP/1.0 has neither
			r.proto = "HTTP/1.0"
		}
	case 1:
		r.headers = append(r.headers, "Connection: close")
	case 2:
		name := "Referer"
		if r.method == "OPTIONS" { // for other methods an Origin makes a difference; testdata/transcripts/cors.txt shows it
			name = "Origin"
		}
		r.headers = append(r.headers, name+": http://example.com")
	case 3:
		r.headers = append(r.headers, "Accept: text/html", "Accept-Encoding: gzip")
	case 4:
		r.headers = append(r.headers, "Range: bytes=0-3")
		if r.method == "GET" || r.method == "HEAD" { // for changes it makes a difference; testdata/extensions/conditional.txt shows it
			r.headers = append(r.headers, "If-None-Match: *")
		}
	}
}

// endpoint returns a request to a path outside of the keys.
func (g *generator) endpoint() *differentialStep {
	target := g.pick(
		"/version",
		"/health",
		"/v2/machines",
		"/v2/stats/self",
		"/v2/stats/store",
		"/v2/stats/leader",
		"/v2/members",
		"/v2/members/leader",
		"/v2/keys",
		"/version",
		"/v2/stats/store",
		"/debug/vars",
		"/config/local/log",
	)
	if g.oneIn(4) {
		target = g.pick(
			"/",
			"/v2",
			"/v2/",
			"/v2/stats",
			"/v2/stats/",
			"/v2/stats/selfish",
			"/v2/stats/self/",
			"/v2/key",
			"/v2/keysx",
			"/v2/keys%2Fa",
			"/v1/keys/a",
			"/v2/machines/",
			"/v2/machines/x",
			"/version/",
			"/versions",
			"/health/",
			"/health/x",
			"/favicon.ico",
			"/V2/keys",
			"/v2/admin/machines",
			"/v2//machines",
			"/v2/../version",
			"/%76ersion",
			"/v2/members/",
			"/v2/leader",
			"/v2/stats/store/",
			"/members",
			"/raft",
		)
	}
	target += g.pick("", "", "", "", "?x=1", "?recursive=true", "?", "?%zz")
	method := "GET"
	if g.oneIn(4) {
		method = g.method()
	}
	r := plainRequest(method, target)
	g.addHeaders(r)
	return &differentialStep{request: r}
}

func (g *generator) method() string {
	return g.pick("HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "BREW", "get", "PROPFIND", "QGET", "SYNC")
}

// members returns a request for the members. Changes of the membership are such that servers refuse them.
func (g *generator) members() *differentialStep {
	path := "/v2/members" + g.pick(
		"",
		"/",
		"/{member}",
		"/{MEMBER}",
		"/ffff",
		"/FFFF",
		"/0",
		"/x",
		"/leader",
		"/{member}/",
		"/ffff/x",
		"/{member}/leader",
		"/ffffffffffffffff",
		"/10000000000000000",
		"/-1",
		"/0xff",
		"/{member}?x=1",
	)
	method := g.pick("GET", "GET", "POST", "PUT", "PUT", "DELETE", g.method())
	if method == "DELETE" && strings.Contains(strings.ToLower(path), "{member}") {
		method = "GET" // the only member must not be removed
	}
	r := plainRequest(method, path)
	if g.oneIn(2) && method != "GET" {
		bodies := []string{
			"",
			"{}",
			"null",
			"[]",
			"x",
			`{"peerURLs":[]}`,
			`{"peerURLs":null}`,
			`{"peerURLs":"x"}`,
			`{"peerURLs":["x"]}`,
			`{"peerURLs":["ftp://x:1"]}`,
			`{"peerURLs":["http://x"]}`,
			`{"peerURLs":["http://x:1/p"]}`,
			`{"peerURLs":[""]}`,
			`{"peerURLs":["http://x:1"`,
			`{"peerURLs":[1]}`,
		}
		if method == "POST" || method == "PUT" && strings.Contains(path, "/ffff") {
			bodies = append(bodies, `{"peerURLs":["{peer}"]}`) // in use
		}
		r.body, r.hasBody = g.pick(bodies...), true
		if kind := g.pick("application/json", "application/json", "application/json", "application/json; charset=utf-8", "Application/JSON",
			"text/json", "",
			transcriptFormType, "application/jsonx", "application/json;", " application/json"); kind != "" {
			r.headers = append(r.headers, "Content-Type: "+kind)
		}
	}
	g.addHeaders(r)
	return &differentialStep{request: r}
}

// unusual returns an extreme or invalid request for a key.
func (g *generator) unusual() *differentialStep {
	switch g.IntN(12) {
	case 0:
		return &differentialStep{
			request: plainRequest("GET", "/v2/keys/"+g.pick("${y*4200}", "${y*20000}", "${y*60000}")),
			fresh:   g.oneIn(2),
		}
	case 1:
		return &differentialStep{request: plainRequest("GET", "/v2/keys/a?x="+g.pick("${y*5000}", "${y*3900}")), fresh: g.oneIn(2)}
	case 2:
		// Writes to the root fail even if the reference accepts the TTL or the body.
		return &differentialStep{
			request: plainRequest("PUT", "/v2/keys/?value=1&ttl="+g.pick("9300000000", "18446744073709551615", "9223372036854775807")),
		}
	case 3:
		if g.oneIn(10) {
			r := plainRequest("PUT", "/v2/keys/")
			r.body, r.hasBody = "value=${y*1600000}", true
			r.headers = []string{"Content-Type: " + transcriptFormType}
			return &differentialStep{request: r}
		}
	case 4:
		r := plainRequest("GET", "http://example.com/v2/keys"+g.key())
		return &differentialStep{request: r}
	}
	r := plainRequest(g.method(), "/v2/keys"+g.key())
	g.addHeaders(r)
	return &differentialStep{request: r, fresh: g.oneIn(3)}
}

// prepared returns one of a list of requests that random parameters would rarely produce.
func (g *generator) prepared() *differentialStep {
	key := "/v2/keys" + g.pick("/a", "/foo", "/foo/a", "/b/c", "/q")
	target := g.pick(
		"PUT "+key+"?value=one&prevExist=false&ttl=1000",
		"PUT "+key+"?prevValue=one&value=one&ttl=1000",
		"DELETE "+key+"?prevValue=one",
		"DELETE "+key+"?prevIndex={now}",
		"PUT "+key+"?value=two&prevIndex={now}",
		"PUT "+key+"?value=two&prevIndex={now-1}&prevValue=two",
		"PUT "+key+"?refresh=true&ttl=1000&prevExist=true",
		"PUT "+key+"?refresh=true&ttl=1000&prevIndex={now}",
		"PUT "+key+"?refresh=true&ttl=1000&prevValue=one",
		"PUT "+key+"?dir=true&ttl=1000",
		"PUT "+key+"?dir=true&prevExist=true",
		"PUT "+key+"?dir=true&prevExist=true&ttl=1000",
		"DELETE "+key+"?dir=true",
		"DELETE "+key+"?recursive=true",
		"POST "+key+"?value=one",
		"POST "+key+"?dir=true",
		"POST "+key+"?value=one&ttl=1000",
		"GET "+key+"?sorted=true&recursive=true",
		"GET "+key+"?recursive=true",
		"GET "+key+"?quorum=true",
		"PUT "+key+"?value=one&noValueOnSuccess=true",
		"GET /v2/keys/?recursive=true&sorted=true",
		"GET /v2/keys/?recursive=true",
		"DELETE /v2/keys/?recursive=true",
		"PUT /v2/keys/?value=one",
		"POST /v2/keys/?value=one",
		"DELETE /v2/keys/foo?recursive=true",
		"PUT /v2/keys/foo/_h/x?value=one",
	)
	method, path, _ := strings.Cut(target, " ")
	return &differentialStep{request: plainRequest(method, path)}
}
