package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"pando/members/servertest"
)

// matrixServer is a server with the users, the roles and the keys of the matrix. It serves plain HTTP, and HTTPS for clients with
// certificates.
type matrixServer struct {
	t       *testing.T
	url     string
	tlsURL  string
	peerURL string
	pki     *servertest.PKI
	clients map[string]*http.Client // by the common name of the certificate; empty for plain HTTP
	indexes map[string]uint64       // of the creation of each file
}

// startMatrix starts a server and enables auth on it.
func startMatrix(t *testing.T, start servertest.Launcher) *matrixServer {
	t.Helper()
	s := &matrixServer{t: t, pki: servertest.NewPKI(t), clients: map[string]*http.Client{}, indexes: map[string]uint64{}}
	tlsAddress := servertest.FreeAddr(t)
	s.tlsURL = "https://" + tlsAddress
	server := s.pki.Issue(t, "server")
	process := servertest.StartSingle(t, func(m servertest.Member, t testing.TB, flags ...string) *servertest.Process {
		flags = append(flags, s.pki.ServerFlags(server, s.pki.CA)...)
		return start(m, t, append(flags, "--listen-client-urls", m.ClientURL()+","+s.tlsURL, "--enable-pprof")...)
	})
	s.url, s.peerURL = process.Client, process.Peer
	s.clients[""] = &http.Client{Transport: &http.Transport{}}
	for _, p := range matrixPrincipals {
		if p.certificate != "" && s.clients[p.certificate] == nil {
			pair := s.pki.Issue(t, p.certificate)
			s.clients[p.certificate] = s.pki.HTTPClient(t, &pair)
		}
	}
	for _, client := range s.clients {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		client.Timeout = servertest.Timeout
	}
	s.makeUsers()
	// The history must still have the events of the operations that watch, so their keys are made last.
	for i := len(matrixOperations) - 1; i >= 0; i-- {
		for p := range matrixPrincipals {
			s.makeKeys(&matrixOperations[i], &matrixPrincipals[p])
		}
	}
	s.must("PUT", "/v2/auth/enable", "")
	return s
}

// makeUsers makes the users and the roles.
func (s *matrixServer) makeUsers() {
	type permissions struct {
		Read  []string `json:"read"`
		Write []string `json:"write"`
	}
	roles := map[string]*permissions{"nothing": {}}
	for i := range matrixPrincipals {
		p := &matrixPrincipals[i]
		if roles[p.role] == nil {
			roles[p.role] = &permissions{}
		}
		read, write := p.rights(p)
		roles[p.role].Read = append(roles[p.role].Read, read...)
		roles[p.role].Write = append(roles[p.role].Write, write...)
	}
	for name, p := range roles {
		s.must("PUT", "/v2/auth/roles/"+name, s.json(map[string]any{"role": name, "permissions": map[string]any{"kv": p}}))
	}
	for name, list := range matrixUsers {
		s.must("PUT", "/v2/auth/users/"+name, s.json(map[string]any{"user": name, "password": name, "roles": list}))
	}
}

func (s *matrixServer) json(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// makeKeys makes the keys of an operation for a principal.
func (s *matrixServer) makeKeys(o *matrixOperation, p *matrixPrincipal) {
	if !o.usesDirectory() && !strings.Contains(o.path, "{sub}") {
		return
	}
	for _, file := range []string{"/file", "/dir/sub", "/_hidden"} {
		path := o.directory(p) + file
		var answer struct {
			Node struct{ CreatedIndex uint64 }
		}
		if err := json.Unmarshal([]byte(s.must("PUT", "/v2/keys"+path+"?value=1", "")), &answer); err != nil {
			s.t.Fatal(err)
		}
		s.indexes[path] = answer.Node.CreatedIndex
	}
}

// must sends a request before auth is enabled, and returns the body of the response. A refusal fails the test.
func (s *matrixServer) must(method, path, body string) string {
	s.t.Helper()
	return mustAs(s.t, "", method, s.url+path, body)
}

// useProxy starts a proxy in front of the server. Later operations go through it, over plain HTTP.
func (s *matrixServer) useProxy() {
	s.t.Helper()
	process := servertest.Launch(s.t, s.t.TempDir(), "--proxy", "on", "--initial-cluster", "default="+s.peerURL)
	s.url, s.tlsURL = process.Client, process.Client
	servertest.Await(s.t, "the proxy to find the member", func() bool {
		response, err := s.clients[""].Get(s.url + "/v2/keys/none")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode != http.StatusServiceUnavailable
	})
}

// outcome performs an operation as a principal. It returns the status and the error code, if the response has one.
func (s *matrixServer) outcome(o *matrixOperation, p *matrixPrincipal) string {
	directory := o.directory(p)
	path := strings.NewReplacer("{d}", directory, "{file}", fmt.Sprint(s.indexes[directory+"/file"]),
		"{sub}", fmt.Sprint(s.indexes[directory+"/dir/sub"])).Replace(o.path)
	base := s.url
	if p.certificate != "" {
		base = s.tlsURL
	}
	request, err := http.NewRequest(o.method, base+path, strings.NewReader(o.form))
	if err != nil {
		s.t.Fatal(err)
	}
	switch {
	case o.json:
		request.Header.Set("Content-Type", "application/json")
	case o.form != "":
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if p.header != "" {
		request.Header.Set("Authorization", p.header)
	}
	response, err := s.clients[p.certificate].Do(request)
	if err != nil {
		s.t.Errorf("%s as %s: %v", o.name, p.name, err)
		return "no response"
	}
	defer response.Body.Close()
	var answer struct{ ErrorCode int }
	if response.StatusCode >= http.StatusBadRequest || !strings.Contains(o.path, "stream=true") { // an accepted stream has no end
		text, err := io.ReadAll(response.Body)
		if err != nil {
			s.t.Errorf("%s as %s: %v", o.name, p.name, err)
		}
		_ = json.Unmarshal(text, &answer) // some responses are not JSON
	}
	if answer.ErrorCode == 0 {
		return fmt.Sprint(response.StatusCode)
	}
	return fmt.Sprintf("%d/%d", response.StatusCode, answer.ErrorCode)
}

// matrix contains the outcomes, by the name of the operation and that of the principal.
type matrix map[string]map[string]string

// play performs the operations as the principals, one of every combinations. With 1 it performs all of them. Each operation and each
// principal is played several times in any case. The principals use their own keys at the same time, because each failed login takes a
// while. They perform other operations one after the other, for the later ones may depend on the earlier ones.
func (s *matrixServer) play(every int) matrix {
	all := matrix{}
	for i := range matrixOperations {
		o := &matrixOperations[i]
		outcomes := make([]string, len(matrixPrincipals))
		var running sync.WaitGroup
		for j := range matrixPrincipals {
			if (i+j)%every != 0 {
				continue
			}
			running.Go(func() { outcomes[j] = s.outcome(o, &matrixPrincipals[j]) })
			if !o.usesDirectory() {
				running.Wait()
			}
		}
		running.Wait()
		all[o.name] = map[string]string{}
		for j, p := range matrixPrincipals {
			if outcomes[j] != "" {
				all[o.name][p.name] = outcomes[j]
			}
		}
	}
	return all
}

// String returns the matrix in the format of the golden file: for each operation the outcomes, each with its principals.
func (m matrix) String() string {
	var b strings.Builder
	for _, o := range matrixOperations {
		fmt.Fprintf(&b, "%s: %s %s\n", o.name, o.method, o.path)
		by := map[string][]string{}
		for _, p := range matrixPrincipals {
			outcome := m[o.name][p.name]
			by[outcome] = append(by[outcome], p.name)
		}
		var outcomes []string
		for outcome := range by {
			outcomes = append(outcomes, outcome)
		}
		slices.Sort(outcomes)
		for _, outcome := range outcomes {
			fmt.Fprintf(&b, "  %s: %s\n", outcome, strings.Join(by[outcome], " "))
		}
	}
	return b.String()
}

// parseMatrix parses the format of String.
func parseMatrix(text string) (matrix, error) {
	m := matrix{}
	var operation string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, found := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case !found:
			return nil, fmt.Errorf("line %q has no colon", line)
		case !strings.HasPrefix(line, "  "):
			operation = name
			m[operation] = map[string]string{}
		case m[operation] == nil:
			return nil, fmt.Errorf("line %q has no operation before it", line)
		default:
			for principal := range strings.FieldsSeq(rest) {
				m[operation][principal] = name
			}
		}
	}
	return m, nil
}
