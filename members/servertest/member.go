package servertest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// Member is the configuration of one member of a cluster under test.
type Member struct {
	Name         string
	Client, Peer string // host:port
	DataDir      string
	PeerScheme   string   // of PeerURL: https with TLS between the members; http if empty
	More         []string // further flags of this member
}

// NewMembers returns a member for each name, with free addresses and a data directory of its own.
func NewMembers(t testing.TB, names ...string) []Member {
	t.Helper()
	dir := t.TempDir()
	all := make([]Member, len(names))
	for i, name := range names {
		all[i] = Member{Name: name, Client: FreeAddr(t), Peer: FreeAddr(t), DataDir: filepath.Join(dir, name)}
	}
	return all
}

// The range of ports of FreeAddr. The system does not assign these ports by itself, so a server can stop and listen on the
// same port again.
const (
	firstPort = 10_000
	portCount = 10_000
)

// nextPort counts the ports that FreeAddr has tried. It starts at random, because tests of other packages run at the same
// time.
var nextPort = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(rand.Uint32N(portCount))
	return &n
}()

// FreeAddr returns a free TCP address on the loopback interface, and reserves it until the end of the test. Servers may
// listen on it one after the other.
func FreeAddr(t testing.TB) string {
	t.Helper()
	var err error
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", firstPort+nextPort.Add(1)%portCount)
		// The UDP port with the same number is the reservation. FreeAddr in another process can't open it, and tries the
		// next.
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

// ClientURL returns the URL for clients.
func (m Member) ClientURL() string { return "http://" + m.Client }

// PeerURL returns the URL for peers.
func (m Member) PeerURL() string { return cmp.Or(m.PeerScheme, "http") + "://" + m.Peer }

// InitialCluster returns the value of --initial-cluster for these members.
func InitialCluster(all []Member) string {
	var list []string
	for _, m := range all {
		list = append(list, m.Name+"="+m.PeerURL())
	}
	return strings.Join(list, ",")
}

// Flags returns the flags that run a server as this member, followed by more. Pando and etcd accept the same flags.
func (m Member) Flags(more ...string) []string {
	return slices.Concat([]string{
		"--name", m.Name, "--data-dir", m.DataDir,
		"--listen-client-urls", m.ClientURL(), "--advertise-client-urls", m.ClientURL(),
		"--listen-peer-urls", m.PeerURL(), "--initial-advertise-peer-urls", m.PeerURL(),
	}, m.More, more)
}

// Launcher is Member.StartPando or Member.StartEtcd. A test that takes a Launcher can run either program. A Launcher does
// not wait until the server serves.
type Launcher func(m Member, t testing.TB, flags ...string) *Process

// StartPando starts Pando as this member. It does not wait until the server serves.
func (m Member) StartPando(t testing.TB, flags ...string) *Process {
	t.Helper()
	return m.StartCommand(t, exec.Command(os.Args[0], m.Flags(flags...)...))
}

// StartEtcd starts etcd as this member, or as a proxy if flags say so. It does not wait until the server serves. If etcd is
// not installed, the test is skipped.
func (m Member) StartEtcd(t testing.TB, flags ...string) *Process {
	t.Helper()
	return m.StartCommand(t, exec.Command(RequireEtcd(t), m.Flags(append(flags, "--enable-v2")...)...))
}

// StartCommand starts a command that runs a server as this member, and sets Client and Peer of the Process.
func (m Member) StartCommand(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := StartCommand(t, cmd)
	p.Client, p.Peer = m.ClientURL(), m.PeerURL()
	return p
}
