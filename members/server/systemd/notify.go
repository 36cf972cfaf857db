package systemd

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

const (
	// sendTimeout bounds how long a message may wait while systemd does not read its socket.
	sendTimeout = time.Second
	// extendInterval is the time between two messages that extend a start. Each extends it by extension.
	extendInterval = 10 * time.Second
	extension      = time.Minute
)

// Service is this process as systemd sees it.
type Service struct {
	socket string // empty without systemd
	log    *zap.Logger

	mu           sync.Mutex
	ready        bool // READY=1 was sent
	stopping     bool // STOPPING=1 was sent
	status       string
	lossIsLogged bool // the log has a line about a lost message

	reloads reloads
}

// New makes a Service for the socket that the environment names in NOTIFY_SOCKET.
func New(log *zap.Logger) *Service { return &Service{socket: os.Getenv("NOTIFY_SOCKET"), log: log} }

// Enabled reports whether systemd waits for messages of this process.
func (s *Service) Enabled() bool { return s.socket != "" }

// Ready reports that the start is complete. Later calls have no effect. A report that can't be sent is repeated, because systemd ends a
// process that never becomes ready.
func (s *Service) Ready() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready || s.stopping {
		return
	}
	if s.ready = s.send(daemon.SdNotifyReady); !s.ready {
		time.AfterFunc(sendTimeout, s.Ready)
	}
}

// ReadyAfter calls Ready after the time limit, unless ctx ends before.
func (s *Service) ReadyAfter(ctx context.Context, limit time.Duration) {
	select {
	case <-time.After(limit):
		s.Ready()
	case <-ctx.Done():
	}
}

// Stopping reports that the process begins to end. Later calls of any method send nothing.
func (s *Service) Stopping() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return
	}
	s.send(daemon.SdNotifyStopping, statusMessage("stopping"))
	s.stopping = true
}

// Status reports a text about the state of the process, which systemctl status shows. It must have one line. An unchanged text is not
// sent again.
func (s *Service) Status(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || text == s.status {
		return
	}
	s.status = text
	s.send(statusMessage(text))
}

func statusMessage(text string) string { return "STATUS=" + strings.ReplaceAll(text, "\n", " ") }

// ExtendStart keeps systemd from ending a start that takes longer than TimeoutStartSec, until the process is ready or ctx ends. A
// member that reads much data is healthy, and would only begin to read again.
func (s *Service) ExtendStart(ctx context.Context) {
	if !s.Enabled() {
		return
	}
	ticks := time.NewTicker(extendInterval)
	defer ticks.Stop()
	for {
		if !s.extend() {
			return
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}

// extend sends one extension. It returns false when the start is over.
func (s *Service) extend() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready || s.stopping {
		return false
	}
	s.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", extension.Microseconds()))
	return true
}

// send sends the lines as one message. It returns false if the message is lost. The caller must hold s.mu, so that messages arrive in the
// order of the states.
func (s *Service) send(lines ...string) bool {
	if !s.Enabled() || s.stopping {
		return true
	}
	err := sendTo(s.socket, strings.Join(lines, "\n"))
	if err != nil && !s.lossIsLogged {
		s.lossIsLogged = true
		s.log.Warn("systemd does not get the state of this process; later failures are not logged", zap.Error(err))
	}
	return err == nil
}

// sendTo sends a message to a socket. The library's SdNotify has no time limit.
func sendTo(socket, message string) error {
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("connecting to NOTIFY_SOCKET: %w", err)
	}
	defer c.Close()
	if err := c.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return fmt.Errorf("setting a time limit for NOTIFY_SOCKET: %w", err)
	}
	if _, err := c.Write([]byte(message)); err != nil {
		return fmt.Errorf("writing to NOTIFY_SOCKET: %w", err)
	}
	return nil
}
