package servertest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// Member is the configuration of one member of a test's cluster.
type Member struct {
	Name         string
	Client, Peer string // host:port
	DataDir      string
}

// NewMembers returns members with these names, free addresses and a data directory each.
func NewMembers(t testing.TB, names ...string) []Member {
	t.Helper()
	dir := t.TempDir()
	all := make([]Member, len(names))
	for i, name := range names {
		all[i] = Member{name, FreeAddr(t), FreeAddr(t), filepath.Join(dir, name)}
	}
	return all
}

// The system assigns no ports of this range, so a server can stop and take its port again.
const (
	firstPort = 10_000
	ports     = 10_000
)

// nextPort is the offset of the next port to try. It starts anywhere, because other packages' tests run at the same time.
var nextPort = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(rand.Uint32N(ports))
	return &n
}()

// FreeAddr returns a TCP address on the loopback interface that is free and stays reserved until the end of the test. A
// server may listen on it several times.
func FreeAddr(t testing.TB) string {
	t.Helper()
	var err error
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", firstPort+nextPort.Add(1)%ports)
		// The UDP port of the same number is the reservation: other test processes that try to take it go on to the next.
		var reserved net.PacketConn
		if reserved, err = net.ListenPacket("udp", addr); err != nil {
			continue
		}
		var free net.Listener
		if free, err = net.Listen("tcp", addr); err != nil {
			reserved.Close()
			continue
		}
		free.Close()
		t.Cleanup(func() { reserved.Close() })
		return addr
	}
	t.Fatalf("no free port: %v", err)
	return ""
}

// ClientURL returns the URL that the member serves clients on.
func (m Member) ClientURL() string { return "http://" + m.Client }

// PeerURL returns the URL that the member serves peers on.
func (m Member) PeerURL() string { return "http://" + m.Peer }

// InitialCluster returns the value of --initial-cluster for these members.
func InitialCluster(all []Member) string {
	var list []string
	for _, m := range all {
		list = append(list, m.Name+"="+m.PeerURL())
	}
	return strings.Join(list, ",")
}

// Flags returns the flags of the member, which Pando and etcd have in common, followed by more.
func (m Member) Flags(more ...string) []string {
	return append([]string{
		"--name", m.Name, "--data-dir", m.DataDir,
		"--listen-client-urls", m.ClientURL(), "--advertise-client-urls", m.ClientURL(),
		"--listen-peer-urls", m.PeerURL(), "--initial-advertise-peer-urls", m.PeerURL(),
	}, more...)
}

// Launcher is Member.StartPando or Member.StartEtcd: the program that a test runs a member with.
type Launcher func(m Member, t testing.TB, flags ...string) *Process

// StartPando starts Pando as this member. It does not wait until the server serves.
func (m Member) StartPando(t testing.TB, flags ...string) *Process {
	t.Helper()
	return m.StartCommand(t, exec.Command(os.Args[0], m.Flags(flags...)...))
}

// StartEtcd starts etcd as this member, or as a proxy. It does not wait until the server serves. The test is skipped
// where etcd is not installed.
func (m Member) StartEtcd(t testing.TB, flags ...string) *Process {
	t.Helper()
	return m.StartCommand(t, exec.Command(RequireEtcd(t), m.Flags(append(flags, "--enable-v2")...)...))
}

// StartCommand starts a command that runs this member.
func (m Member) StartCommand(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := StartCommand(t, cmd)
	p.Client, p.Peer = m.ClientURL(), m.PeerURL()
	return p
}
