package stream

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// roundsConn accepts a scripted number of bytes at each write, and then returns os.ErrDeadlineExceeded.
type roundsConn struct {
	net.Conn
	rounds    []int
	deadlines []time.Time
}

func (c *roundsConn) Write(b []byte) (int, error) {
	n := c.rounds[0]
	if c.rounds = c.rounds[1:]; n == len(b) {
		return n, nil
	}
	return n, os.ErrDeadlineExceeded
}

func (c *roundsConn) SetWriteDeadline(t time.Time) error {
	c.deadlines = append(c.deadlines, t)
	return nil
}

func (c *roundsConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1234}
}

// TestConnStalls checks that a client that reads nothing is cut off, and that one that reads anything is not.
func TestConnStalls(t *testing.T) {
	for _, tc := range []struct {
		name   string
		rounds []int
		sent   int
		ended  bool
	}{
		{"reads all", []int{100}, 100, false},
		{"reads nothing", []int{0, 0, 0, 0}, 0, true},
		{"stops reading", []int{60, 0, 0, 0, 0}, 60, true},
		{"reads little", []int{1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 97}, 100, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inner := &roundsConn{rounds: tc.rounds}
			core, logs := observer.New(zap.WarnLevel)
			policy := testPolicy(time.Hour)
			policy.Logger = zap.New(core)
			c := &conn{Conn: inner, policy: &policy}
			n, err := c.Write(make([]byte, 100))
			if n != tc.sent || errors.Is(err, ErrStalled) != tc.ended || (err != nil) != tc.ended {
				t.Errorf("Write returned %d, %v", n, err)
			}
			if logged := logs.Len() == 1; logged != tc.ended {
				t.Errorf("the log contains %v", logs.All())
			}
			for _, at := range inner.deadlines {
				if until := time.Until(at); until < time.Hour/(stallRounds+1) || until > time.Hour/2 {
					t.Errorf("a deadline in %v, want between a fifth and a half of the timeout", until)
				}
			}
		})
	}
	t.Run("a deadline of SetWriteDeadline ends a write", func(t *testing.T) {
		inner := &roundsConn{rounds: []int{50}}
		policy := testPolicy(time.Hour)
		c := &conn{Conn: inner, policy: &policy}
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := c.Write(make([]byte, 100)); n != 50 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write returned %d, %v", n, err)
		}
	})
}
