package faulttest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"pando/members/servertest"
)

// network is a set of hosts. Each is a network namespace with two links: one to a bridge, for connections between the hosts, and one to
// the test, for clients, which does not depend on the bridge. A link that is cut drops packets: neither end of a connection gets an
// error.
type network struct {
	t      *testing.T
	prefix string // of all names in the system
	subnet string // three bytes of the addresses
	hosts  []string
}

// networks counts the networks of this process. There may be two.
var networks atomic.Int32

// unusedAddress is a link address that no host has.
const unusedAddress = "02:00:00:00:00:01"

// newNetwork makes hosts that exist until the end of the test. It skips the test where that is not possible.
func newNetwork(t *testing.T, hosts ...string) *network {
	t.Helper()
	servertest.RequireProgram(t, "ip", "iproute2")
	pid, number := os.Getpid(), int(networks.Add(1)-1)
	// 198.18.0.0/15 is set aside for tests of networks.
	subnet := (pid + number*256) % 512
	n := &network{
		t: t, prefix: fmt.Sprintf("pt%d%c", pid, 'a'+number), subnet: fmt.Sprintf("198.%d.%d", 18+subnet/256, subnet%256), hosts: hosts,
	}
	t.Cleanup(n.remove)
	n.setUp("link", "add", n.bridge(), "type", "bridge")
	n.setUp("link", "set", n.bridge(), "up")
	for i, host := range hosts {
		space := n.space(i)
		n.setUp("netns", "add", space)
		n.setUp("-n", space, "link", "set", "lo", "up")
		n.setUp("link", "add", n.port(i), "type", "veth", "peer", "name", "peers", "netns", space)
		n.setUp("-n", space, "address", "add", n.peerIP(i)+"/28", "dev", "peers")
		n.setUp("-n", space, "link", "set", "peers", "up")
		n.setUp("link", "set", n.port(i), "master", n.bridge(), "up")
		clients := n.prefix + "c" + host
		n.setUp("link", "add", clients, "type", "veth", "peer", "name", "clients", "netns", space)
		n.setUp("address", "add", fmt.Sprintf("%s.%d/30", n.subnet, 17+4*i), "dev", clients)
		n.setUp("link", "set", clients, "up")
		n.setUp("-n", space, "address", "add", n.clientIP(i)+"/30", "dev", "clients")
		n.setUp("-n", space, "link", "set", "clients", "up")
	}
	return n
}

func (n *network) bridge() string        { return n.prefix + "b" }
func (n *network) space(i int) string    { return n.prefix + n.hosts[i] }
func (n *network) port(i int) string     { return n.prefix + "p" + n.hosts[i] }
func (n *network) peerIP(i int) string   { return fmt.Sprintf("%s.%d", n.subnet, 1+i) }
func (n *network) clientIP(i int) string { return fmt.Sprintf("%s.%d", n.subnet, 18+4*i) }

// setUp runs ip to make the network.
func (n *network) setUp(args ...string) {
	n.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Skipf("network namespaces can't be made here: ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// ip changes the network. It fails the test after an error.
func (n *network) ip(args ...string) {
	n.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// remove deletes the namespaces and the bridge. The links go with the namespaces.
func (n *network) remove() {
	for i := range n.hosts {
		if _, err := os.Stat(filepath.Join("/run/netns", n.space(i))); err == nil {
			n.ip("netns", "delete", n.space(i))
		}
	}
	if _, err := os.Stat(filepath.Join("/sys/class/net", n.bridge())); err == nil {
		n.ip("link", "delete", n.bridge())
	}
}

// members gives each host a member.
func (n *network) members() []servertest.Member {
	dir := n.t.TempDir()
	all := make([]servertest.Member, len(n.hosts))
	for i, host := range n.hosts {
		all[i] = servertest.Member{Name: host, Client: n.clientIP(i) + ":2379", Peer: n.peerIP(i) + ":2380", DataDir: filepath.Join(dir, host)}
	}
	return all
}

// command returns a command that runs on a host.
func (n *network) command(host int, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", n.space(host)}, args...)...)
}

// isolate disconnects a host from the bridge.
func (n *network) isolate(i int) { n.ip("link", "set", n.port(i), "nomaster") }

// rejoin connects the host to the bridge again.
func (n *network) rejoin(i int) { n.ip("link", "set", n.port(i), "master", n.bridge()) }

// mute drops all packets from a host to another. Packets in the other direction still arrive.
func (n *network) mute(from, to int) {
	n.ip("-n", n.space(from), "neighbor", "replace", n.peerIP(to), "lladdr", unusedAddress, "dev", "peers", "nud", "permanent")
}

// unmute ends mute.
func (n *network) unmute(from, to int) {
	n.ip("-n", n.space(from), "neighbor", "delete", n.peerIP(to), "dev", "peers")
}
