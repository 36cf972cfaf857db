package members

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// maxAnswer bounds what is read of an answer, in bytes: no cluster has members
// enough to fill it.
const maxAnswer = 4 << 20

// Remote is what a member says of its cluster on a peer URL.
type Remote struct {
	// ClusterID is the cluster's.
	ClusterID ID
	// Members are those that it knows of, learners among them, in its order.
	Members []Member
}

// Ask reads /members of a member's peer URL, as servers that look for their
// cluster and proxies do. The caller bounds the time by ctx.
func Ask(ctx context.Context, client *http.Client, peerURL string) (Remote, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, peerURL+"/members", nil)
	if err != nil {
		return Remote{}, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return Remote{}, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read: nothing can get lost
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

// askTimeout bounds the question to one peer.
const askTimeout = time.Second

// AskOne is Ask with at most a second to answer.
func AskOne(ctx context.Context, client *http.Client, peerURL string) (Remote, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return Ask(ctx, client, peerURL)
}

// AskAll asks all peers at once: those that start at the same time listen, and
// don't answer yet. The answers are by URL. Its error is that of ctx: nobody may
// take peers that had no time to answer for peers that are not there.
func AskAll(ctx context.Context, client *http.Client, peerURLs []string) (map[string]Remote, error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	answers := map[string]Remote{}
	for _, url := range peerURLs {
		all.Go(func() {
			remote, err := AskOne(ctx, client, url)
			if err != nil {
				return // it has nothing to say against this start
			}
			mu.Lock()
			defer mu.Unlock()
			answers[url] = remote
		})
	}
	all.Wait()
	return answers, ctx.Err()
}
