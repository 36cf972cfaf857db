package certs

import (
	"context"
	"os"
	"time"

	"go.uber.org/zap"
)

// fileState identifies the content of a file, without reading it.
type fileState struct {
	inode, device    uint64
	size             int64
	modified, status int64 // the times of the last change of the content and of the inode, in nanoseconds
}

// racyAge is the resolution of the coarsest clock of a file system. Until a change has this age, the file may change again and keep its
// fileState.
const racyAge = 2 * time.Second

// watcher is the state of Watch.
type watcher struct {
	states [4]fileState
	failed string // the error of the last load; empty if it was successful
	logged bool   // whether failed was logged
	stable bool   // whether states are those of the last load, and all changes are older than racyAge
}

// Watch reads the files again when they change, until ctx ends. It must be called at most once. It does not use changed files with an
// error; it logs and counts the error once for each change. It uses the other files: a damaged certificate does not delay a revocation.
// Watch also renews the self-signed certificate of AutoDir.
func (s *Source) Watch(ctx context.Context) {
	ticker := time.NewTicker(s.options.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.poll()
		}
	}
}

// poll checks the files for changes once.
func (s *Source) poll() {
	autoErr := s.renewAuto()
	states, w := s.statFiles(), &s.watcher
	if autoErr == nil && states == w.states && w.stable {
		return
	}
	w.stable = states == w.states && s.now().UnixNano()-newest(states) > int64(racyAge)
	w.states = states
	content, problems := load(&s.options, s.now(), s.current.Load())
	switch err := fatalOf(problems); {
	case autoErr != nil:
		s.reject(autoErr)
	case err != nil:
		s.reject(err)
	default:
		if w.logged {
			s.log.Info("the files for TLS have no error any more", zap.String("setting", s.options.Names.Cert))
		}
		w.failed, w.logged = "", false
	}
	if content.equal(s.current.Load()) {
		return
	}
	s.current.Store(content)
	s.log.Info("files for TLS were read again after a change", zap.String("setting", s.options.Names.Cert))
	s.logWarnings(problems)
	s.callOnChange()
}

// renewAuto renews the self-signed certificate when it is due.
func (s *Source) renewAuto() error {
	if !s.isAuto() || s.current.Load().chain[0].NotAfter.Sub(s.now()) >= autoRenewal {
		return nil
	}
	return s.prepareAuto()
}

// reject counts and logs an error of changed files. It does so when the same error occurs a second time: a certificate and its key are two
// files, and for a short time only one of them may be new.
func (s *Source) reject(err error) {
	w := &s.watcher
	w.stable = false // try again: the cause may be outside of the files, such as the permissions of a directory
	if text := err.Error(); text != w.failed {
		w.failed, w.logged = text, false
		return
	}
	if w.logged {
		return
	}
	w.logged = true
	s.failures.Add(1)
	s.log.Error("changed files for TLS have an error; the old ones stay in use", zap.Error(err))
}

// statFiles returns the states of all files. A file that is missing has the zero state.
func (s *Source) statFiles() [4]fileState {
	var states [4]fileState
	for i, path := range []string{s.options.Cert, s.options.Key, s.options.CA, s.options.CRL} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		states[i] = stateOf(info)
	}
	return states
}

// newest returns the time of the last change.
func newest(states [4]fileState) int64 {
	var last int64
	for _, s := range states {
		last = max(last, s.modified, s.status)
	}
	return last
}

// equal reports whether two sets of files have the same content.
func (c *contents) equal(other *contents) bool {
	same := len(c.chain) == len(other.chain) && len(c.roots) == len(other.roots) && len(c.lists) == len(other.lists)
	for i := 0; same && i < len(c.chain); i++ {
		same = c.chain[i].Equal(other.chain[i])
	}
	for i := 0; same && i < len(c.roots); i++ {
		same = c.roots[i].Equal(other.roots[i])
	}
	for i := 0; same && i < len(c.lists); i++ {
		same = string(c.lists[i].list.Raw) == string(other.lists[i].list.Raw)
	}
	return same
}
