package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/members/certs"
)

// TLS is the configuration of a Transport whose member has peer certificates. The functions may be called from any
// goroutine.
type TLS struct {
	// Check returns an error if the certificates of an open connection would be refused now: one of them has expired or is
	// revoked, or their CA is no longer trusted.
	Check func(state *tls.ConnectionState) error
	// AnyHost accepts a client certificate that is valid for no host of its member's peer URLs.
	AnyHost bool
}

// recheckInterval is the time between two checks of the certificates of all streams. A certificate may expire at any time.
const recheckInterval = time.Second

// errCertificate is returned if the certificate of a member is not accepted.
var errCertificate = errors.New("transport: certificate not accepted")

// checkCertificate returns an error if the client certificate of a request is not that of the member from. It accepts a
// request without a verified client certificate: the listener decides whether it requires one.
func (t *Transport) checkCertificate(from members.ID, r *http.Request) error {
	if t.TLS == nil || t.TLS.AnyHost || r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return nil
	}
	return checkHosts(from, t.PeerURLs(from), r.TLS.VerifiedChains[0][0])
}

// checkHosts returns an error unless the certificate is valid for a host of the peer URLs. Other members check the host
// when they connect to the member, so a certificate that is used for both directions passes.
func checkHosts(from members.ID, peerURLs []string, leaf *x509.Certificate) error {
	var hosts []string
	for _, text := range peerURLs {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		host := u.Hostname()
		if leaf.VerifyHostname(host) == nil {
			return nil
		}
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return fmt.Errorf("%w: member %s has the peer host %s, and the client certificate is valid for %s. Give the member a certificate "+
		"that is valid for its peer host", errCertificate, from, strings.Join(hosts, " and "), certs.DescribeHosts(leaf))
}

// logPlaintext logs that a member sends requests without TLS to this member, which has peer certificates.
func (t *Transport) logPlaintext(from members.ID, r *http.Request) {
	if t.TLS == nil || r.TLS != nil {
		return
	}
	t.mu.Lock()
	due := t.plaintext.Due(time.Now())
	t.mu.Unlock()
	if due {
		t.Logger.Warn("a member connects without TLS, although this member has a peer certificate", zap.Stringer("from", from))
	}
}

// RecheckCertificates closes the streams whose certificates are no longer accepted, in both directions. It must be called
// after certificates, CAs or CRLs have been read again. The members open new streams at once, with their newest certificates.
func (t *Transport) RecheckCertificates() {
	if t.TLS == nil {
		return
	}
	for _, s := range t.secureStreams() {
		t.recheck(s)
	}
}

// recheckNew closes a new stream whose certificates are not accepted. The certificates, CAs or CRLs may have been read
// again after the handshake, and before RecheckCertificates could find the stream.
func (t *Transport) recheckNew(member members.ID, conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok && t.TLS != nil {
		t.recheck(secureStream{member, secure})
	}
}

// recheckPeriodically closes the streams whose certificates have expired, until the transport is closed.
func (t *Transport) recheckPeriodically() {
	tick := time.NewTicker(recheckInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.RecheckCertificates()
		case <-t.ctx.Done():
			return
		}
	}
}

// recheck closes a stream if its certificates are no longer accepted.
func (t *Transport) recheck(s secureStream) {
	state := s.conn.ConnectionState()
	if err := t.TLS.Check(&state); err != nil {
		t.Logger.Warn("closing the stream of a member whose certificate is no longer accepted",
			zap.Stringer("member", s.member), zap.Error(err))
		_ = closeNow(s.conn) // the stream may have ended
	}
}

// secureStream is an open stream over TLS.
type secureStream struct {
	member members.ID
	conn   *tls.Conn
}

// secureStreams returns the streams over TLS, in both directions.
func (t *Transport) secureStreams() []secureStream {
	var all []secureStream
	add := func(member members.ID, conn net.Conn) {
		if secure, ok := conn.(*tls.Conn); ok {
			all = append(all, secureStream{member, secure})
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, streams := range t.incoming {
		for _, in := range streams {
			add(id, in.conn)
		}
	}
	for _, p := range t.peers {
		if p.sender.isOpen() {
			add(p.id, p.latestStream().conn)
		}
	}
	return all
}

// PlaintextStreams returns the number of open streams without TLS, in both directions.
func (t *Transport) PlaintextStreams() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	count := 0
	for _, streams := range t.incoming {
		for _, in := range streams {
			if _, secure := in.conn.(*tls.Conn); !secure {
				count++
			}
		}
	}
	for _, p := range t.peers {
		if p.sender.isOpen() && isPlain(p.latestStream().url) {
			count++
		}
	}
	return count
}

// closeNow closes a connection and never blocks. Close of a TLS connection may block: it sends an alert first.
func closeNow(conn net.Conn) error {
	if secure, ok := conn.(*tls.Conn); ok {
		return secure.NetConn().Close()
	}
	return conn.Close()
}
