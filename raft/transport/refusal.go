package transport

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// refusal is the error for a response with another status than the expected one.
type refusal struct {
	status string
	text   string
}

func (r *refusal) Error() string { return fmt.Sprintf("transport: %s: %s", r.status, r.text) }

// maxRefusalText is the number of bytes that are read of a refusal's text.
const maxRefusalText = 1 << 10

// checkResponse closes the response. It returns nil if the status is 204, and an error otherwise. If the peer responds that
// this member was removed, checkResponse reports the removal.
func (p *peer) checkResponse(resp *http.Response) error {
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusalText))
	refused := &refusal{resp.Status, strings.TrimSpace(string(text))}
	switch resp.StatusCode {
	case http.StatusNoContent:
		return nil
	case http.StatusGone:
		if p.isFromPeer(resp) {
			p.t.Removed()
			return ErrRemoved
		}
	case http.StatusConflict:
		if p.isFromPeer(resp) {
			if err := p.t.checkCompatible(readAnnouncement(p.id, resp.Header)); err != nil {
				return err
			}
		}
	case http.StatusPreconditionFailed:
		p.explainMismatch(resp, refused)
	}
	return refused
}

// explainMismatch replaces the text of a refusal if another member than the peer has responded: the new text says which
// member it is, and what to do.
func (p *peer) explainMismatch(resp *http.Response, refused *refusal) {
	cluster, from := resp.Header.Get(headerCluster), resp.Header.Get(headerFrom)
	switch {
	case cluster == "": // an older version without this header: keep its text
	case cluster != p.t.Cluster.String():
		refused.text = fmt.Sprintf("the member at this URL is of cluster %s, this member's data directory says cluster %s. "+
			"The newer of the two members was started with another --initial-cluster or --initial-cluster-token, "+
			"or with --initial-cluster-state new in place of existing: stop it, delete its data directory, and start it with the right flags",
			cluster, p.t.Cluster)
	case from != p.id.String():
		refused.text = fmt.Sprintf("member %s listens at this URL, not member %s: "+
			"correct the peer URLs of one of the two members, or remove the member that no longer exists", from, p.id)
	}
}

// isFromPeer reports whether the response names the peer and this cluster. Another server may listen at the peer's URL: its
// response must not end this member.
func (p *peer) isFromPeer(resp *http.Response) bool {
	return resp.Header.Get(headerCluster) == p.t.Cluster.String() && resp.Header.Get(headerFrom) == p.id.String()
}
