package members

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxAnswer bounds the bytes that are read of an answer. The list of members of the largest
// cluster is shorter.
const maxAnswer = 4 << 20

// Remote is the answer of a member about its cluster.
type Remote struct {
	// ClusterID is the ID of the cluster.
	ClusterID ID
	// Members are all members in its registry, learners included, in its order.
	Members []Member
}

// Ask requests the list of members at a peer URL of a member. Servers that search for
// their cluster, and proxies, use it. ctx must limit the time.
func Ask(ctx context.Context, client *http.Client, peerURL string) (Remote, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, peerURL+"/members", nil)
	if err != nil {
		return Remote{}, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return Remote{}, err
	}
	defer func() { _ = resp.Body.Close() }() // the body was read; an error does not matter
	if resp.StatusCode != http.StatusOK {
		return Remote{}, fmt.Errorf("%s/members answers %s: is this the peer URL of a member?", peerURL, resp.Status)
	}
	var list []struct {
		ID         uint64   `json:"id"`
		PeerURLs   []string `json:"peerURLs"`
		Name       string   `json:"name"`
		ClientURLs []string `json:"clientURLs"`
		IsLearner  bool     `json:"isLearner"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&list); err != nil {
		return Remote{}, fmt.Errorf("the list of members of %s: %w", peerURL, err)
	}
	cluster, err := ParseID(resp.Header.Get("X-Etcd-Cluster-Id"))
	if err != nil {
		return Remote{}, fmt.Errorf("the cluster ID of %s: %w", peerURL, err)
	}
	remote := Remote{ClusterID: cluster}
	for _, m := range list {
		remote.Members = append(remote.Members, Member{
			ID: ID(m.ID), PeerURLs: sortedCopy(m.PeerURLs), Name: m.Name, ClientURLs: sortedCopy(m.ClientURLs), Learner: m.IsLearner,
		})
	}
	return remote, nil
}

// askTimeout is the time that AskOne waits for an answer.
const askTimeout = time.Second

// AskOne is Ask with a timeout of one second.
func AskOne(ctx context.Context, client *http.Client, peerURL string) (Remote, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return Ask(ctx, client, peerURL)
}

// Answers are the results of requests to several members, by peer URL.
type Answers struct {
	// Remotes contains the answers. A URL without an answer is missing.
	Remotes map[string]Remote
	// Unverified contains the errors of URLs at which a server runs, but one of the two ends does not accept the certificate of
	// the other. The server may be a member.
	Unverified map[string]error
}

// AskAll asks all peers at the same time, because each peer that is starting listens without
// answering, and costs the whole timeout. The error is that of ctx: if ctx has ended, a peer
// without an answer may be running.
func AskAll(ctx context.Context, client *http.Client, peerURLs []string) (Answers, error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	answers := Answers{Remotes: map[string]Remote{}, Unverified: map[string]error{}}
	for _, url := range peerURLs {
		all.Go(func() {
			remote, err := AskOne(ctx, client, url)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				answers.Remotes[url] = remote
			case isCertificateError(err):
				answers.Unverified[url] = err
			}
		})
	}
	all.Wait()
	return answers, ctx.Err()
}

// isCertificateError reports whether a request failed because one end of the connection does not accept the certificate of the other.
func isCertificateError(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	alert, ok := errors.AsType[*net.OpError](err)
	return ok && alert.Op == "remote error" // an alert of the other end
}
