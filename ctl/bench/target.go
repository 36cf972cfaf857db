package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"pando/ctl/baseurl"
)

// errTarget is wrapped by every error about a server that cannot be put under load.
var errTarget = errors.New("cannot use the server")

const dialTimeout = 5 * time.Second

// A target is one server, or one cluster, that the load goes to. It does not change once it is made.
type target struct {
	endpoints []*endpoint
}

// An endpoint is one base URL of a target.
type endpoint struct {
	url    string // scheme and host, without a slash behind
	addr   string // host:port
	tls    *tls.Config
	header string // the header lines of every request, each with its line break
}

// A credential is what a server may want to see from its clients. The zero value is nothing.
type credential struct {
	tls  *tls.Config // nil unless a certificate was given
	user string      // name:password, or empty
}

// standardPorts are those of URLs that name none.
var standardPorts = map[string]string{"http": "80", "https": "443"}

// newTarget reads base URLs.
func newTarget(texts []string, cred credential) (*target, error) {
	urls, err := baseurl.ParseList(texts)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTarget, err)
	}
	t := &target{}
	for _, u := range urls {
		ep, err := newEndpoint(u, cred)
		if err != nil {
			return nil, err
		}
		t.endpoints = append(t.endpoints, ep)
	}
	return t, nil
}

func newEndpoint(u *url.URL, cred credential) (*endpoint, error) {
	port := standardPorts[u.Scheme]
	if port == "" {
		return nil, fmt.Errorf("%w: endpoint %s: the scheme is http or https", errTarget, u)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("%w: endpoint %s: it names no host", errTarget, u)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("%w: endpoint %s: leave out everything behind the port", errTarget, u)
	}
	ep := &endpoint{url: u.Scheme + "://" + u.Host, addr: net.JoinHostPort(u.Hostname(), port), header: "Host: " + u.Host + "\r\n"}
	if u.Scheme == "https" {
		ep.tls = &tls.Config{}
		if cred.tls != nil {
			ep.tls = cred.tls.Clone()
		}
		ep.tls.ServerName = u.Hostname()
	}
	if cred.user != "" {
		ep.header += "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(cred.user)) + "\r\n"
	}
	return ep, nil
}

// loadTLS reads the PEM files of --cacert, --cert and --key; it returns nil if none is given.
func loadTLS(caFile, certFile, keyFile string) (*tls.Config, error) {
	if caFile == "" && certFile == "" && keyFile == "" {
		return nil, nil
	}
	config := &tls.Config{}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("--cacert: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--cacert %s: %w: no PEM certificate in it", caFile, errUsage)
		}
	}
	if certFile != "" || keyFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("--cert and --key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// String names the target as the user did.
func (t *target) String() string {
	urls := make([]string, len(t.endpoints))
	for i, ep := range t.endpoints {
		urls[i] = ep.url
	}
	return strings.Join(urls, ",")
}

// endpoint returns the endpoint of connection n: they take turns.
func (t *target) endpoint(n int) *endpoint { return t.endpoints[n%len(t.endpoints)] }

func (ep *endpoint) dial(ctx context.Context) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if ep.tls == nil {
		return dialer.DialContext(ctx, "tcp", ep.addr)
	}
	return (&tls.Dialer{NetDialer: dialer, Config: ep.tls}).DialContext(ctx, "tcp", ep.addr)
}

// leader narrows t down to the endpoint whose member leads. When none of those given does, the leader's own
// first client URL is used.
func (t *target) leader(ctx context.Context, cred credential) (*target, error) {
	var lastErr error
	for _, ep := range t.endpoints {
		var self struct{ State string }
		if err := ep.getJSON(ctx, "/v2/stats/self", &self); err != nil {
			lastErr = err
			continue
		}
		if self.State == "StateLeader" {
			return &target{endpoints: []*endpoint{ep}}, nil
		}
	}
	for _, ep := range t.endpoints {
		var member struct{ ClientURLs []string }
		if err := ep.getJSON(ctx, "/v2/members/leader", &member); err != nil {
			lastErr = err
			continue
		}
		if len(member.ClientURLs) > 0 {
			return newTarget(member.ClientURLs[:1], cred)
		}
	}
	if lastErr == nil {
		lastErr = errors.New("no member says that it leads")
	}
	return nil, fmt.Errorf("%w: --target-leader finds no leader by asking %s: %w", errTarget, t, lastErr)
}

// getJSON asks once, on a connection of its own, and decodes the answer into v.
func (ep *endpoint) getJSON(ctx context.Context, path string, v any) error {
	c := newConn(ep, dialTimeout, requestBuffer)
	defer c.close()
	defer context.AfterFunc(ctx, c.interrupt)()
	err := c.connect(ctx)
	var resp response
	if err == nil {
		resp, err = c.roundTrip(appendRequest(nil, ep, "GET", path, ""))
	}
	if err != nil {
		return fmt.Errorf("%s%s: %w", ep.url, path, err)
	}
	if resp.status != 200 {
		return fmt.Errorf("%s%s: HTTP %d: %s", ep.url, path, resp.status, bytes.TrimSpace(resp.body))
	}
	if err := json.Unmarshal(resp.body, v); err != nil {
		return fmt.Errorf("%s%s: %w", ep.url, path, err)
	}
	return nil
}
