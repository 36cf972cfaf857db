package servertest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Seat is where one member of a test's cluster lives.
type Seat struct {
	Name         string
	Client, Peer string // host:port
	DataDir      string
}

// Seats finds places for members with these names.
func Seats(t testing.TB, names ...string) []Seat {
	t.Helper()
	dir := t.TempDir()
	all := make([]Seat, len(names))
	for i, name := range names {
		all[i] = Seat{name, KeptAddr(t), KeptAddr(t), filepath.Join(dir, name)}
	}
	return all
}

// KeptAddr finds an address that is still free when its server comes to it, or comes back to it after an absence.
func KeptAddr(t testing.TB) string {
	t.Helper()
	port, err := keptPort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// keptPort finds a port in a range out of which the system gives none, and no other package's tests take one. No two
// tests of this process are given the same.
func keptPort() (int, error) {
	var err error
	for range 100 {
		port := 10_000 + int(keptPorts.Add(1)%10_000)
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("no free port found: %w", err)
}

var keptPorts = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(rand.Uint32N(10_000)) // another run may go on beside this one
	return &n
}()

func (s Seat) ClientURL() string { return "http://" + s.Client }
func (s Seat) PeerURL() string   { return "http://" + s.Peer }

// Flags are those that both Pando and the reference take.
func (s Seat) Flags(more ...string) []string {
	return append([]string{
		"--name", s.Name, "--data-dir", s.DataDir,
		"--listen-client-urls", s.ClientURL(), "--advertise-client-urls", s.ClientURL(),
		"--listen-peer-urls", s.PeerURL(), "--initial-advertise-peer-urls", s.PeerURL(),
	}, more...)
}

// Spawn starts the server of this place and waits for nothing.
func (s Seat) Spawn(t testing.TB, more ...string) *Process {
	t.Helper()
	return s.Run(t, exec.Command(os.Args[0], s.Flags(more...)...))
}

// Run starts the command as the server of this place.
func (s Seat) Run(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := Start(t, s.DataDir, cmd)
	p.Client, p.Peer = s.ClientURL(), s.PeerURL()
	return p
}

// InitialCluster is the flag's value for these members.
func InitialCluster(all []Seat) string {
	var list []string
	for _, s := range all {
		list = append(list, s.Name+"="+s.PeerURL())
	}
	return strings.Join(list, ",")
}

// LaunchCluster starts members that know each other from the flags.
func LaunchCluster(t testing.TB, all []Seat) []*Process {
	t.Helper()
	var running []*Process
	for _, s := range all {
		running = append(running, s.Spawn(t, "--initial-cluster", InitialCluster(all)))
	}
	for _, p := range running {
		p.AwaitServing()
	}
	AwaitPublished(t, running[0].Client, len(all))
	return running
}

// AwaitPublished waits until so many members have told their client URLs. It
// returns the ID of the cluster and the members as "ID name".
func AwaitPublished(t testing.TB, client string, count int) (cluster string, list []string) {
	t.Helper()
	short := http.Client{Timeout: 5 * time.Second} // a server that can't start may have the socket already
	Await(t, fmt.Sprintf("%d members at %s", count, client), func() bool {
		resp, err := short.Get(client + "/v2/members")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var body struct {
			Members []struct {
				ID, Name   string
				ClientURLs []string
			}
		}
		if json.NewDecoder(resp.Body).Decode(&body) != nil {
			return false
		}
		list = nil
		for _, m := range body.Members {
			if len(m.ClientURLs) > 0 {
				list = append(list, m.ID+" "+m.Name)
			}
		}
		slices.Sort(list)
		cluster = resp.Header.Get("X-Etcd-Cluster-Id")
		return len(list) == count
	})
	return cluster, list
}

// NewToken makes a discovery URL at a server.
func NewToken(t testing.TB, client, name string, size int) string {
	t.Helper()
	NewKeyClient(t, client).Must(t, http.MethodPut, "/discovery/"+name+"/_config/size", Form("value", Itoa(size)))
	return client + "/v2/keys/discovery/" + name
}

// Sees waits until a value written through one client URL is read at another.
func Sees(t testing.TB, written, read string) {
	t.Helper()
	NewKeyClient(t, written).Must(t, http.MethodPut, "/seen", Form("value", written))
	Await(t, "the value at "+read, func() bool {
		answer, err := NewKeyClient(t, read).Do(http.MethodGet, "/seen", nil)
		return err == nil && answer.Node != nil && answer.Node.Value == written
	})
}

// AwaitCluster waits until these members serve as one cluster.
func AwaitCluster(t testing.TB, running []*Process) {
	t.Helper()
	for _, p := range running {
		p.AwaitServing()
	}
	AwaitPublished(t, running[0].Client, len(running))
	Sees(t, running[0].Client, running[len(running)-1].Client)
}
