package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"pando/ctl/migrate"
	"pando/ctl/terminal"
)

const (
	// terminalInterval is the time between two updates of the status line on a terminal.
	terminalInterval = 500 * time.Millisecond
	// pipeInterval is the time between two status lines in any other output.
	pipeInterval = 30 * time.Second
)

// follow follows the source until it is interrupted, or until the target has taken over.
func (m *migration) follow(c *cli.Context) error {
	s, err := m.both(c)
	if err != nil {
		return err
	}
	out := newStatusWriter(m.stdout)
	o := migrate.Options{Hidden: s.hidden, Note: out.note}
	if c.IsSet(forwardWritesFlag) {
		forward := c.Bool(forwardWritesFlag)
		o.ForwardWrites = &forward
	}
	follower := migrate.NewFollower(s.source, s.target, o)
	ctx, cancel := context.WithCancel(c.Context)
	var showing sync.WaitGroup
	showing.Go(func() { out.show(ctx, follower.Progress) })
	err = follower.Run(ctx)
	cancel()
	showing.Wait()
	index := follower.Progress().Index
	switch {
	case err == nil:
		out.note("the cluster has taken over; there is nothing left to follow")
	case c.Context.Err() != nil && errors.Is(err, context.Canceled):
		out.note(fmt.Sprintf("stopped at index %d; start it again to go on", index))
	}
	return err
}

// statusWriter prints lines, and on a terminal below them one status line that changes. Any goroutine may call its methods.
type statusWriter struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	status   string // the status line that is on the terminal
}

func newStatusWriter(w io.Writer) *statusWriter { return &statusWriter{w: w, terminal: terminal.Is(w)} }

// clearLine moves the cursor of a terminal to the beginning of its line and clears the line.
const clearLine = "\r\x1b[K"

// note prints a line. Errors of the output are ignored: the command must go on if nobody reads what it prints.
func (s *statusWriter) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal {
		fmt.Fprint(s.w, clearLine+text+"\n"+s.status)
		return
	}
	fmt.Fprintf(s.w, "%s %s\n", time.Now().Format(time.RFC3339), text)
}

// update replaces the status line on a terminal, and prints it as a line otherwise. An empty text removes it.
func (s *statusWriter) update(text string) {
	if !s.terminal {
		if text != "" {
			s.note(text)
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = text
	fmt.Fprint(s.w, clearLine+text)
}

// show prints the progress until ctx ends: on a terminal all the time, otherwise at the first index, and then rarely.
func (s *statusWriter) show(ctx context.Context, progress func() migrate.Progress) {
	defer s.update("")
	interval := pipeInterval
	if s.terminal {
		interval = terminalInterval
	}
	tick := time.NewTicker(terminalInterval)
	defer tick.Stop()
	var last migrate.Progress
	var shown time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := progress()
		due := time.Since(shown) >= interval || now.Phase != last.Phase
		if now.Phase == 0 || !due {
			continue
		}
		rate := 0.0
		if elapsed := time.Since(shown); !shown.IsZero() {
			rate = float64(now.Events-last.Events) / elapsed.Seconds()
		}
		s.update(statusLine(now, rate))
		last, shown = now, time.Now()
	}
}

// statusLine describes the progress. rate is in events per second.
func statusLine(p migrate.Progress, rate float64) string {
	line := fmt.Sprintf("%s: index %d, source %d, behind by %d (%d ms), %.0f changes/s, %d keys with a TTL",
		p.Phase, p.Index, p.SourceIndex, p.Behind(), p.Lag.Milliseconds(), rate, p.Expiring)
	if p.Unexplained > 0 {
		line += fmt.Sprintf(", %d indexes without a visible change (users?)", p.Unexplained)
	}
	return line
}
