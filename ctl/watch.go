package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
)

const afterIndexFlag = "after-index"

// Pauses between attempts to resume a watch: from the first, doubling to the last.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// watcher follows the changes of a key, one long poll at a time.
//
// It delivers every change after the index at which it began, once and in order: next is the index to ask for,
// also when a connection broke or an answer was empty. It is used by one goroutine at a time.
type watcher struct {
	client    *client
	key       string
	recursive bool
	// endless: the history having been cleared is no end; what is there now is read instead.
	endless bool
	notes   io.Writer // where the user is told about resuming

	next    uint64 // 0: from now, until the server said what "now" is
	began   bool   // a server has accepted the watch once: from then on it is resumed, not refused
	pending []*event
	pause   time.Duration
}

// wait returns the next change. Errors are final: ctx is done, the watch was refused, or never began.
func (w *watcher) wait(ctx context.Context) (*event, error) {
	for len(w.pending) == 0 {
		e, err := w.poll(ctx)
		switch {
		case err == nil:
			w.pause = 0
			w.next = max(w.next, e.Node.ModifiedIndex+1)
			return e, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case w.endless && hasCode(err, codeHistoryCleared):
			err = w.reread(ctx)
			if err == nil {
				continue
			}
			if !w.resumable(err) {
				return nil, err
			}
			w.tell(err)
		case errors.Is(err, errEmptyBody):
		case w.resumable(err):
			w.tell(err)
		default:
			return nil, err
		}
		if err := w.rest(ctx); err != nil {
			return nil, err
		}
	}
	e := w.pending[0]
	w.pending = w.pending[1:]
	return e, nil
}

// poll is one long poll.
func (w *watcher) poll(ctx context.Context) (*event, error) {
	return w.client.keys(ctx, &request{
		method: http.MethodGet,
		path:   keyPath(w.key),
		query: url.Values{
			"recursive": {strconv.FormatBool(w.recursive)},
			"wait":      {"true"},
			"waitIndex": {strconv.FormatUint(w.next, 10)},
		},
		patient: true,
		began: func(h http.Header) {
			index, err := strconv.ParseUint(h.Get("X-Etcd-Index"), 10, 64)
			if err != nil {
				return
			}
			w.began = true
			if w.next == 0 {
				w.next = index + 1
			}
		},
	})
}

// resumable says whether a watch that had begun was broken off by err without a word of the server.
func (w *watcher) resumable(err error) bool {
	_, isCluster := errors.AsType[*clusterError](err)
	return w.began && (isCluster || errors.Is(err, errInvalidJSON))
}

// tell notes the first of a row of interruptions.
func (w *watcher) tell(err error) {
	if w.pause > 0 {
		return
	}
	why := err
	if cluster, ok := errors.AsType[*clusterError](err); ok && len(cluster.errs) > 0 {
		why = cluster.errs[len(cluster.errs)-1]
	}
	fmt.Fprintf(w.notes, "watch of %s interrupted (%v); resuming at index %d\n", w.key, why, w.next)
}

// rest waits before the next attempt, longer each time.
func (w *watcher) rest(ctx context.Context) error {
	w.pause = min(max(2*w.pause, firstPause), lastPause)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(w.pause):
		return nil
	}
}

// reread replaces the changes that the server no longer has by what is there now: every key that was changed since,
// in the order of the changes, as an event with action "get". Keys that were removed meanwhile leave no trace.
func (w *watcher) reread(ctx context.Context) error {
	e, err := w.client.read(ctx, w.key, readOptions{recursive: w.recursive, quorum: true})
	var now uint64
	switch refusal, refused := errors.AsType[*apiError](err); {
	case err == nil:
		now = e.index
		collect(e.Node, w.next, &w.pending)
		sort.SliceStable(w.pending, func(i, j int) bool {
			return w.pending[i].Node.ModifiedIndex < w.pending[j].Node.ModifiedIndex
		})
	case refused && refusal.Code == codeKeyNotFound:
		now = refusal.Index
	default:
		return err
	}
	for _, p := range w.pending {
		p.index = now
	}
	fmt.Fprintf(w.notes, "watch of %s: the server's history begins after index %d; read again at index %d: %d keys changed since, removals are not shown\n",
		w.key, w.next, now, len(w.pending))
	w.next = max(w.next, now+1)
	return nil
}

// collect appends the keys at and below n that were changed at index since or later.
func collect(n *node, since uint64, events *[]*event) {
	if !n.Dir && n.ModifiedIndex >= since {
		*events = append(*events, &event{Action: "get", Node: n})
	}
	for _, child := range n.Nodes {
		collect(child, since, events)
	}
}

func (p *program) watchCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "watch", Usage: "watch a key for changes", ArgsUsage: "<key>", Action: p.watch,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: foreverFlag, Aliases: []string{"f"}, Usage: "go on after the first change, until CTRL+C", DisableDefaultText: true},
			&cli.IntFlag{Name: afterIndexFlag, Usage: "changes after this index, the server's history permitting"},
			&cli.BoolFlag{Name: recursiveFlag, Aliases: []string{"r"}, Usage: "changes of everything below the key too", DisableDefaultText: true},
		},
		Description: p.examples(
			`watch /message`, "wait for the next change and print the value",
			`watch --recursive --forever /`, "print every change of every key",
			`watch --after-index 1047 /message`, "also changes that happened since index 1047"),
	})
}

// newWatcher makes the watcher that the flags ask for.
func (p *program) newWatcher(c *cli.Context, cl *client, key string) *watcher {
	w := &watcher{client: cl, key: key, recursive: c.Bool(recursiveFlag), notes: p.stderr}
	if after := c.Int(afterIndexFlag); after != 0 {
		w.next = uint64(after) + 1
	}
	return w
}

func (p *program) watch(c *cli.Context) error {
	cl, err := p.connect(c)
	if err != nil {
		return err
	}
	key, err := keyArgument(c)
	if err != nil {
		return err
	}
	w := p.newWatcher(c, cl, key)
	w.endless = c.Bool(foreverFlag)
	for {
		e, err := w.wait(c.Context)
		if c.Context.Err() != nil {
			return nil
		}
		if err != nil {
			return serverFailure(err)
		}
		if e.Node.Dir {
			continue
		}
		if w.recursive {
			if _, err := fmt.Fprintf(p.stdout, "[%s] %s\n", e.Action, e.Node.Key); err != nil {
				return err
			}
		}
		if err := p.printEvent(e, c.String(outputFlag)); err != nil {
			return err
		}
		if !w.endless {
			return nil
		}
	}
}
