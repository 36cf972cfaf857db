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
	// askTimeout bounds the question to one member.
	askTimeout = 2 * time.Second
	// hurriedPause is the least time between two questions, and the time between
	// them while no member answers.
	hurriedPause = time.Second
)

// refresher keeps the endpoints those of the members.
type refresher struct {
	cfg       Config
	endpoints *endpoints
	wake      chan struct{}

	// Used by run alone.
	saved   []string // as ClusterFile has them
	cluster members.ID
	silent  bool // nobody answered the last time
}

// clusterFile is the content of Config.ClusterFile.
type clusterFile struct {
	PeerURLs []string
}

func newRefresher(cfg Config, e *endpoints) (*refresher, error) {
	r := &refresher{cfg: cfg, endpoints: e, wake: make(chan struct{}, 1)}
	text, err := os.ReadFile(cfg.ClusterFile)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("proxy: the peer URLs that were kept can't be read: %w", err)
	}
	var kept clusterFile
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, fmt.Errorf("proxy: %s is not what a proxy has written: %w; remove it, and the flags say where the cluster is", cfg.ClusterFile, err)
	}
	r.saved = kept.PeerURLs
	return r, nil
}

// hurry has the list of members read soon. It never blocks.
func (r *refresher) hurry() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run reads the list of members until ctx is done.
func (r *refresher) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := r.cfg.RefreshInterval
		if !r.refresh(ctx) {
			pause = min(pause, hurriedPause)
		}
		r.rest(ctx, pause)
	}
}

// rest waits for the pause, or less when hurried.
func (r *refresher) rest(ctx context.Context, pause time.Duration) {
	least := time.After(min(pause, hurriedPause))
	full := time.After(pause)
	select {
	case <-ctx.Done():
		return
	case <-least:
	}
	select {
	case <-ctx.Done():
	case <-full:
	case <-r.wake:
	}
}

// refresh reads the list from the first member that answers. It reports whether
// one did and knows where clients are served: in a cluster that is just coming up,
// nobody has said yet.
func (r *refresher) refresh(ctx context.Context) bool {
	var failures []error
	for _, url := range r.sources() {
		remote, err := r.ask(ctx, url)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		r.take(remote)
		r.silent = false
		return r.endpoints.known()
	}
	if !r.silent && ctx.Err() == nil {
		r.cfg.Logger.Warn("no member of the cluster says who its members are; check that they run and that their peer URLs can be reached from here",
			zap.Strings("peer-urls", r.sources()), zap.Error(errors.Join(failures...)))
		r.silent = true
	}
	return false
}

// sources are the peer URLs to ask: those known last in any order, then those of
// the flags.
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

// take makes the endpoints those of the list, and keeps its peer URLs.
func (r *refresher) take(remote members.Remote) {
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
		voters = learners // which lag behind, and are better than nothing
	}
	if r.endpoints.set(voters) {
		r.cfg.Logger.Info("members found", zap.Stringer("cluster", remote.ClusterID), zap.Strings("client-urls", voters))
	}
	slices.Sort(peerURLs)
	if slices.Equal(peerURLs, r.saved) {
		return
	}
	if err := r.save(peerURLs); err != nil {
		r.cfg.Logger.Warn("peer URLs not kept: after a restart the proxy looks for the cluster where the flags say", zap.Error(err))
	}
	r.saved = peerURLs
}

// save keeps the peer URLs. A crash leaves the old file or the new one.
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

func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
