package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"pando/members"
)

const (
	// askTimeout bounds a single request for the list of members.
	askTimeout = 2 * time.Second
	// minPause is the shortest time between two refreshes. It is also the time between them while no member answers.
	minPause = time.Second
)

// refresher reads the list of members from the cluster and updates the endpoints and ClusterFile.
type refresher struct {
	cfg       Config
	endpoints *endpoints
	triggered chan struct{} // has an element after trigger

	// Only the goroutine of run may use the following fields.
	saved       []string   // the peer URLs in ClusterFile
	cluster     members.ID // 0 before the first answer
	unreachable bool       // no member responded at the last refresh
}

// clusterFile is the content of Config.ClusterFile, in the format of the reference.
type clusterFile struct {
	PeerURLs []string
}

func newRefresher(cfg Config, e *endpoints) (*refresher, error) {
	r := &refresher{cfg: cfg, endpoints: e, triggered: make(chan struct{}, 1)}
	text, err := os.ReadFile(cfg.ClusterFile)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("proxy: the saved peer URLs can't be read: %w", err)
	}
	var kept clusterFile
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, fmt.Errorf(
			"proxy: %s was not written by a proxy: %w; remove the file, and the proxy will use the peer URLs of the flags",
			cfg.ClusterFile,
			err,
		)
	}
	r.saved = kept.PeerURLs
	return r, nil
}

// trigger makes run read the list of members soon. It never blocks and may be called from any goroutine.
func (r *refresher) trigger() {
	select {
	case r.triggered <- struct{}{}:
	default: // it is triggered already
	}
}

// run reads the list of members repeatedly until ctx is done.
func (r *refresher) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := r.cfg.RefreshInterval
		if !r.refresh(ctx) {
			pause = min(pause, minPause)
		}
		r.wait(ctx, pause)
	}
}

// wait returns after the pause, or earlier after trigger or when ctx is done. A trigger does not end it before minPause.
func (r *refresher) wait(ctx context.Context, pause time.Duration) {
	least := time.After(min(pause, minPause))
	full := time.After(pause)
	select {
	case <-ctx.Done():
		return
	case <-least:
	}
	select {
	case <-ctx.Done():
	case <-full:
	case <-r.triggered:
	}
}

// refresh reads the list from the first peer URL that responds. It reports whether client URLs are known afterwards: a cluster that
// has just started may list its members without client URLs.
func (r *refresher) refresh(ctx context.Context) bool {
	var failures []error
	for _, url := range r.sources() {
		remote, err := r.ask(ctx, url)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		r.update(remote)
		r.unreachable = false
		return r.endpoints.any()
	}
	if !r.unreachable && ctx.Err() == nil {
		r.cfg.Logger.Warn(
			"no member answered the request for the list of members; check that the members run and that this host can reach their peer URLs",
			zap.Strings("peer-urls", r.sources()),
			zap.Error(errors.Join(failures...)),
		)
		r.unreachable = true
	}
	return false
}

// sources returns the peer URLs in the order in which refresh tries them: the saved ones in a random order, then the others of
// Config.PeerURLs.
func (r *refresher) sources() []string {
	urls := slices.Clone(r.saved)
	rand.Shuffle(len(urls), func(i, j int) { urls[i], urls[j] = urls[j], urls[i] })
	for _, u := range r.cfg.PeerURLs {
		if !slices.Contains(urls, u) {
			urls = append(urls, u)
		}
	}
	return urls
}

// ask reads the list of members from one peer URL.
func (r *refresher) ask(ctx context.Context, url string) (members.Remote, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	remote, err := members.Ask(ctx, r.cfg.PeerClient, url)
	if err != nil {
		return remote, err
	}
	if r.cluster != 0 && remote.ClusterID != r.cluster {
		return remote, fmt.Errorf("%s belongs to cluster %s, and this proxy serves %s", url, remote.ClusterID, r.cluster)
	}
	if len(remote.Members) == 0 {
		return remote, fmt.Errorf("%s lists no members", url)
	}
	return remote, nil
}

// update replaces the endpoints by the client URLs of the list, and saves the peer URLs of the list.
func (r *refresher) update(remote members.Remote) {
	r.cluster = remote.ClusterID
	var peerURLs, voters, learners []string
	for _, m := range remote.Members {
		peerURLs = append(peerURLs, m.PeerURLs...)
		if m.Learner {
			learners = append(learners, m.ClientURLs...)
		} else {
			voters = append(voters, m.ClientURLs...)
		}
	}
	if len(voters) == 0 {
		voters = learners // their data may be old, but no voter has client URLs
	}
	if r.endpoints.set(voters) {
		r.cfg.Logger.Info("members found", zap.Stringer("cluster", remote.ClusterID), zap.Strings("client-urls", voters))
	}
	slices.Sort(peerURLs)
	if slices.Equal(peerURLs, r.saved) {
		return
	}
	if err := r.save(peerURLs); err != nil {
		r.cfg.Logger.Warn(
			"peer URLs not saved: after a restart the proxy will use only the peer URLs of the flags",
			zap.Error(err),
		)
	}
	r.saved = peerURLs
}

// save replaces ClusterFile. After a crash the file has the old content or the new one.
func (r *refresher) save(peerURLs []string) error {
	text, err := json.Marshal(clusterFile{peerURLs})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.cfg.ClusterFile), 0o700); err != nil {
		return err
	}
	temporary := r.cfg.ClusterFile + ".tmp"
	if err := writeSynced(temporary, text); err != nil {
		return err
	}
	return os.Rename(temporary, r.cfg.ClusterFile)
}

// writeSynced writes a file and syncs it.
func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
