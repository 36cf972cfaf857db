package systemd

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// fakeSystemd is a socket that receives the messages of a service.
type fakeSystemd struct{ *net.UnixConn }

func startSystemd(t *testing.T) (fakeSystemd, *Service) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return fakeSystemd{c}, New(zap.NewNop())
}

// next returns the next message.
func (f fakeSystemd) next(t *testing.T) string {
	t.Helper()
	_ = f.SetReadDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 4096)
	n, err := f.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func (f fakeSystemd) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := f.next(t); got != w {
			t.Fatalf("got %q, want %q", got, w)
		}
	}
}

// expectNothing checks that no message has arrived.
func (f fakeSystemd) expectNothing(t *testing.T) {
	t.Helper()
	_ = f.SetReadDeadline(time.Now())
	b := make([]byte, 4096)
	if n, err := f.Read(b); err == nil {
		t.Fatalf("got %q", b[:n])
	}
}

func TestStates(t *testing.T) {
	f, s := startSystemd(t)
	s.Status("starting")
	s.Status("starting") // unchanged
	if !s.extend() {
		t.Error("a start is over before Ready")
	}
	s.Ready()
	s.Ready() // no effect
	if s.extend() {
		t.Error("a start is extended after Ready")
	}
	s.Status("two\nlines")
	s.Stopping()
	s.Stopping()
	s.Ready()
	s.Status("after the end")
	s.reload()
	f.expect(t, "STATUS=starting", "EXTEND_TIMEOUT_USEC=60000000", "READY=1", "STATUS=two lines", "STOPPING=1\nSTATUS=stopping")
	f.expectNothing(t)
}

func TestReadyAfter(t *testing.T) {
	f, s := startSystemd(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.ReadyAfter(ctx, time.Hour)
	f.expectNothing(t)
	s.ReadyAfter(context.Background(), time.Millisecond)
	f.expect(t, "READY=1")
}

func TestReload(t *testing.T) {
	f, s := startSystemd(t)
	var ran []string
	s.OnReload(func() { ran = append(ran, "first") })
	remove := s.OnReload(func() { ran = append(ran, "second") })
	reload := func() {
		hangups := make(chan os.Signal, 1)
		hangups <- syscall.SIGHUP
		close(hangups)
		s.ReloadAt(hangups)
	}
	reload()
	f.expectNothing(t) // READY=1 would end the start
	s.Ready()
	f.expect(t, "READY=1")
	remove()
	reload()
	message := f.next(t)
	m := regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=(\d+)$`).FindStringSubmatch(message)
	if m == nil {
		t.Fatalf("got %q", message)
	}
	if at, _ := strconv.Atoi(m[1]); at == 0 {
		t.Errorf("got %q", message)
	}
	f.expect(t, "READY=1")
	if got := strings.Join(ran, " "); got != "first second first" {
		t.Errorf("ran %s", got)
	}
}

func TestWatchdog(t *testing.T) {
	f, s := startSystemd(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.AnswerWatchdog(ctx) // returns at once: the unit has no watchdog
	t.Setenv("WATCHDOG_USEC", "3000")
	t.Setenv("WATCHDOG_PID", "1")
	s.AnswerWatchdog(ctx) // it is for another process
	f.expectNothing(t)
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.AnswerWatchdog(ctx)
	}()
	f.expect(t, "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1")
	cancel()
	<-done
}

func TestLostMessages(t *testing.T) {
	core, logged := observer.New(zap.InfoLevel)
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	s := New(zap.New(core))
	s.Status("one")
	s.Status("two")
	if logged.Len() != 1 {
		t.Errorf("%d lines logged", logged.Len())
	}
	t.Setenv("NOTIFY_SOCKET", "")
	s = New(zap.New(core))
	s.Ready()
	s.Stopping()
	if s.Enabled() || logged.Len() != 1 {
		t.Errorf("%d lines logged", logged.Len())
	}
}

// TestReadyIsRepeated makes the socket only after the process is ready.
func TestReadyIsRepeated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "late")
	t.Setenv("NOTIFY_SOCKET", path)
	s := New(zap.NewNop())
	s.Ready()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f := fakeSystemd{c}
	f.expect(t, "READY=1")
	s.Ready() // no effect
	f.expectNothing(t)
}

// TestFullSocket checks that systemd can't block the process: messages to a socket that nobody reads are lost.
func TestFullSocket(t *testing.T) {
	_, s := startSystemd(t)
	core, logged := observer.New(zap.InfoLevel)
	s.log = zap.New(core)
	for i := 0; logged.Len() == 0; i++ {
		if i > 1<<16 {
			t.Skip("the system's queue has no bound")
		}
		s.Status(strconv.Itoa(i))
	}
}
