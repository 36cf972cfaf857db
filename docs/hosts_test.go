package docs

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// hosts are containers as processes of this machine. Each has an address of its own on the loopback interface, and a name that only the
// processes of these hosts can resolve.
type hosts struct {
	t         *testing.T
	dir       string
	names     []string
	addresses []string
	running   []*servertest.Process // nil for a host that was not started yet

	// environment returns the variables of a host, as they are in its container. mounts returns what is mounted there: paths in the
	// container and on this machine by turns.
	environment func(host int) []string
	mounts      func(host int) []string
}

// newHosts returns hosts that are not started yet. The caller must set the two functions.
func newHosts(t *testing.T, names []string) *hosts {
	t.Helper()
	servertest.RequireProgram(t, "unshare", "util-linux")
	if out, err := exec.Command("unshare", "--mount", "mount", "--bind", "/etc/hosts", "/etc/hosts").CombinedOutput(); err != nil {
		t.Skipf("a process can't get a file /etc/hosts of its own here: %v: %s", err, out)
	}
	h := &hosts{t: t, dir: t.TempDir(), names: names, running: make([]*servertest.Process, len(names))}
	for range names {
		h.addresses = append(h.addresses, newAddress(t))
	}
	h.writeNames()
	return h
}

// newAddress returns an address on the loopback interface that no other test uses: it contains the number of a reserved port.
func newAddress(t *testing.T) string {
	t.Helper()
	var port int
	if _, err := fmt.Sscanf(servertest.FreeAddr(t), "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.77.%d.%d", port/200, 1+port%200)
}

// namesFile is what the hosts see as /etc/hosts.
func (h *hosts) namesFile() string { return filepath.Join(h.dir, "hosts") }

// writeNames writes the names. Running hosts see the new content.
func (h *hosts) writeNames() {
	h.t.Helper()
	text := "127.0.0.1 localhost\n"
	for i, address := range h.addresses {
		text += address + " " + h.names[i] + "\n"
	}
	if err := os.WriteFile(h.namesFile(), []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// volume returns the directory for the data of a host.
func (h *hosts) volume(host int) string { return filepath.Join(h.dir, h.names[host]) }

// place replaces what is different on this machine: all addresses of a host, its loopback address, and the paths of the volumes.
func (h *hosts) place(host int, text string) string {
	address := h.addresses[host]
	return strings.NewReplacer(append(h.mounts(host), "//0.0.0.0:", "//"+address+":", "//127.0.0.1:", "//"+address+":")...).Replace(text)
}

// run starts Pando on a host, with arguments as they are in the container.
func (h *hosts) run(host int, args ...string) *servertest.Process {
	h.t.Helper()
	command := []string{"--mount", "sh", "-c", `mount --bind "$1" /etc/hosts && shift && exec "$@"`, "sh", h.namesFile(), os.Args[0]}
	for _, arg := range args {
		command = append(command, h.place(host, arg))
	}
	// Go's own resolver remembers /etc/hosts for five seconds. It does not remember answers of the DNS, and neither does the C library.
	environment := []string{"GODEBUG=netdns=cgo"}
	for _, setting := range h.environment(host) {
		environment = append(environment, h.place(host, setting))
	}
	return servertest.StartCommand(h.t, exec.Command("unshare", command...), environment...)
}

// start starts the server of a host. It does not wait until the server is ready.
func (h *hosts) start(host int) {
	h.t.Helper()
	if err := os.MkdirAll(h.volume(host), 0o700); err != nil {
		h.t.Fatal(err)
	}
	h.running[host] = h.run(host)
	h.running[host].Client = "http://" + h.addresses[host] + ":2379"
}

// ctl runs a command of Pando on a host, as docker exec and kubectl exec do. It returns the output and the exit code.
func (h *hosts) ctl(host int, args ...string) (string, int) {
	h.t.Helper()
	process := h.run(host, args...)
	code := process.AwaitExit()
	return process.Stdout.String() + process.Stderr.String(), code
}

// readdress gives a host whose server has ended another address. Its name and its data stay.
func (h *hosts) readdress(host int) {
	h.t.Helper()
	h.addresses[host] = newAddress(h.t)
	h.writeNames()
}

// answers reports whether a request to a port of a host is answered with 200.
func (h *hosts) answers(host, port int, path string) bool {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	response, err := client.Get(fmt.Sprintf("http://%s:%d%s", h.addresses[host], port, path))
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// leader returns the host that leads, or -1.
func (h *hosts) leader() int {
	return slices.IndexFunc(h.running, func(p *servertest.Process) bool { return p != nil && p.RaftState().State == "StateLeader" })
}
