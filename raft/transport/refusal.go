package transport

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// refusal is the answer of a server that does not serve a request of this member.
type refusal struct {
	status string
	text   string
}

func (r *refusal) Error() string { return fmt.Sprintf("transport: %s: %s", r.status, r.text) }

// maxRefusalText bounds what is read of the text of a refusal, in bytes.
const maxRefusalText = 1 << 10

// outcome closes the answer to a request, and returns why the request was refused, nil if it was served.
func (p *peer) outcome(resp *http.Response) error {
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

// explainMismatch adds to a refusal what to do about a request that reached another member than it was for.
func (p *peer) explainMismatch(resp *http.Response, refused *refusal) {
	cluster, from := resp.Header.Get(headerCluster), resp.Header.Get(headerFrom)
	switch {
	case cluster == "": // a member of an older version: its text says it
	case cluster != p.t.Cluster.String():
		refused.text = fmt.Sprintf("the member at this URL is of cluster %s, this member's data directory says cluster %s. "+
			"The one of the two that is new here was started with another --initial-cluster or --initial-cluster-token, "+
			"or with --initial-cluster-state new in place of existing: stop it, delete its data directory, and start it with the right flags",
			cluster, p.t.Cluster)
	case from != p.id.String():
		refused.text = fmt.Sprintf("member %s listens at this URL, not member %s: correct the peer URLs of one of them, or remove the one that is gone",
			from, p.id)
	}
}

// isFromPeer reports whether the answer is from the peer, as a member of this cluster. What another server at its URL
// says about this member does not count.
func (p *peer) isFromPeer(resp *http.Response) bool {
	return resp.Header.Get(headerCluster) == p.t.Cluster.String() && resp.Header.Get(headerFrom) == p.id.String()
}
