package docs

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pando/members/servertest"
)

// imageConfig is the configuration of an image, as far as it decides how a container runs.
type imageConfig struct {
	Architecture string
	Config       struct {
		User, WorkingDir string
		Env, Entrypoint  []string
		Volumes          map[string]struct{}
		Labels           map[string]string
	}
}

// checkImage reads an image with programs of others, and runs it.
func checkImage(t *testing.T, file string) {
	servertest.RequireProgram(t, "skopeo", "skopeo")
	source := "oci-archive:" + file + ":pando:" + releaseVersion
	var config imageConfig
	for _, architecture := range []string{"arm64", "amd64"} {
		out := output(t, "skopeo", "--override-arch", architecture, "inspect", "--config", source)
		if err := json.Unmarshal([]byte(out), &config); err != nil {
			t.Fatal(err)
		}
		if config.Architecture != architecture {
			t.Errorf("the image for %s is for %s", architecture, config.Architecture)
		}
	}
	user := servertest.Itoa(imageUser)
	c := config.Config
	_, hasVolume := c.Volumes["/var/lib/pando"]
	if c.User != user+":"+user || c.WorkingDir != "/var/lib/pando" || !slices.Equal(c.Entrypoint, []string{"pando"}) || !hasVolume ||
		c.Labels["org.opencontainers.image.version"] != releaseVersion || c.Labels["org.opencontainers.image.revision"] != releaseRevision {
		t.Errorf("%+v", c)
	}
	root := unpackImage(t, source)
	checkImageFiles(t, root)
	if t.Failed() {
		return
	}
	t.Run("it runs", func(t *testing.T) { runImage(t, root, config) })
}

// unpackImage unpacks the layers for this machine, and returns the directory with the files.
func unpackImage(t *testing.T, source string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can unpack files of other users")
	}
	servertest.RequireProgram(t, "umoci", "umoci")
	dir := t.TempDir()
	layout, bundle := filepath.Join(dir, "layout"), filepath.Join(dir, "bundle")
	output(t, "skopeo", "--insecure-policy", "--override-arch", "amd64", "copy", "--quiet", source, "oci:"+layout+":one")
	output(t, "umoci", "unpack", "--image", layout+":one", bundle)
	return filepath.Join(bundle, "rootfs")
}

// checkImageFiles checks that the image has what a container needs, and nothing that its user could change except for its data.
func checkImageFiles(t *testing.T, root string) {
	for name, text := range map[string]string{
		"etc/passwd": "pando:x:65532:65532:", "etc/ssl/certs/ca-certificates.crt": "-----BEGIN CERTIFICATE-----",
		"usr/share/doc/pando/LICENSE": "Apache License",
	} {
		if content, err := os.ReadFile(filepath.Join(root, name)); err != nil || !strings.Contains(string(content), text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, link := range []string{"usr/local/bin/etcd", "usr/local/bin/etcdctl", "usr/bin/pandoctl"} {
		if to, err := os.Readlink(filepath.Join(root, link)); err != nil || to != "/usr/bin/pando" {
			t.Errorf("%s: %s, %v", link, to, err)
		}
	}
	writable := strings.Fields(output(t, "find", root, "-mindepth", "1", "-type", "d", "(", "-uid", servertest.Itoa(imageUser), "-o",
		"-perm", "/o+w", ")", "-printf", "%P\n"))
	slices.Sort(writable)
	if !slices.Equal(writable, []string{"tmp", "var/lib/pando"}) {
		t.Errorf("the user can write to %q", writable)
	}
}

// runImage starts the server of an unpacked image as a container runtime does: in the root directory, the working directory and as the
// user of the image, and with no other environment. It types the session of the README.
func runImage(t *testing.T, root string, config imageConfig) {
	m := servertest.NewMembers(t, "m1")[0]
	environment := append(slices.Clone(config.Config.Env), "ETCD_NAME=m1", "ETCD_DATA_DIR=/var/lib/pando/data",
		"ETCD_LISTEN_CLIENT_URLS=http://0.0.0.0:"+port(m.Client), "ETCD_ADVERTISE_CLIENT_URLS=http://127.0.0.1:2379",
		"ETCD_LISTEN_PEER_URLS=http://127.0.0.1:"+port(m.Peer))
	user, _, _ := strings.Cut(config.Config.User, ":")
	container := func(entrypoint ...string) *servertest.Process {
		args := slices.Concat([]string{"-i"}, environment, []string{"unshare", "--root", root, "--wd", config.Config.WorkingDir,
			"--setgid", user, "--setuid", user}, entrypoint)
		return servertest.StartCommand(t, exec.Command("env", args...))
	}
	p := container(config.Config.Entrypoint...)
	p.Client, p.Peer = m.ClientURL(), m.PeerURL()
	client := servertest.NewKeyClient(t, p.Client)
	servertest.Await(t, "the container to be ready", func() bool {
		response, err := client.HTTP.Get(p.Client + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	typeSession(t, "README.md", p)
	ctl := container("etcdctl", "--no-sync", "--endpoints", p.Client, "get", "/message")
	if code := ctl.AwaitExit(); code != 0 || ctl.Stdout.String() != "Hello from v3\n" {
		t.Errorf("etcdctl in the container: exit code %d, %s%s", code, ctl.Stdout, ctl.Stderr)
	}
	p.Terminate()
	if code := p.AwaitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// port returns the port of an address.
func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
