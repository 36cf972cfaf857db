package docs

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pando/members/servertest"
)

// newPods makes hosts for the pods of the StatefulSet. The environment is the one that Kubernetes sets with a file of settings. certs is
// the directory of the secret.
func newPods(t *testing.T, settings, certs string) *hosts {
	t.Helper()
	set, _, container := statefulSet(t)
	var names []string
	for ordinal := range at[int](t, set, "spec", "replicas") {
		names = append(names, podName(ordinal)+"."+at[string](t, set, "spec", "serviceName"))
	}
	h := newHosts(t, names)
	h.environment = func(host int) []string { return podEnvironment(t, settings, host) }
	h.mounts = func(host int) []string {
		var mounts []string
		for _, mount := range at[[]any](t, container, "volumeMounts") {
			volumes := map[string]string{"data": h.volume(host), "tls": certs}
			mounts = append(mounts, at[string](t, mount, "mountPath"), volumes[at[string](t, mount, "name")])
		}
		return mounts
	}
	return h
}

// awaitProbes waits until all probes of the StatefulSet are met in all pods.
func awaitProbes(t *testing.T, h *hosts) {
	t.Helper()
	_, _, container := statefulSet(t)
	ports := containerPorts(t, container)
	for _, probe := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
		get := at[yamlObject](t, container, probe, "httpGet")
		port, path := ports[at[string](t, get, "port")], at[string](t, get, "path")
		for pod, name := range h.names {
			servertest.Await(t, probe+" of "+name, func() bool { return h.answers(pod, port, path) })
		}
	}
}

// TestKubernetesPods starts the pods of the StatefulSet at once, kills them, and gives them other addresses.
func TestKubernetesPods(t *testing.T) {
	servertest.SkipShort(t, "it starts servers")
	t.Parallel()
	h := newPods(t, settingsFile, "")
	for pod := range h.names {
		h.start(pod)
	}
	awaitProbes(t, h)
	_, list := servertest.AwaitPublished(t, h.running[0].Client, len(h.names))
	servertest.NewKeyClient(t, h.running[0].Client).Must(t, http.MethodPut, "/before", servertest.Form("value", "1"))

	// A rolling update reaches the leader: it hands the leadership over, and comes back with another address.
	leader := h.leader()
	if leader < 0 {
		t.Fatal("no pod leads")
	}
	h.running[leader].Terminate()
	h.readdress(leader)
	h.start(leader)
	awaitProbes(t, h)

	// All nodes fail, and the cluster is made again on others.
	for pod, process := range h.running {
		process.Kill()
		h.readdress(pod)
	}
	for pod := range h.names {
		h.start(pod)
	}
	awaitProbes(t, h)
	for pod, name := range h.names {
		client := servertest.NewKeyClient(t, h.running[pod].Client)
		if got := client.Must(t, http.MethodGet, "/before?quorum=true", nil).Node.Value; got != "1" {
			t.Errorf("%s has %q", name, got)
		}
	}
	if _, after := servertest.AwaitPublished(t, h.running[0].Client, len(h.names)); !slices.Equal(after, list) {
		t.Errorf("the members were %v, and are %v", list, after)
	}
}

// TestKubernetesTLS starts the pods with the settings for TLS and with the certificates that the comment in the file makes.
func TestKubernetesTLS(t *testing.T) {
	servertest.SkipShort(t, "it starts servers")
	t.Parallel()
	certs := filepath.Join(t.TempDir(), "certs")
	text, err := os.ReadFile(settingsTLS)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "pando ctl tls init certs --hosts ")
	names, _, _ := strings.Cut(rest, "\n")
	h := newPods(t, settingsTLS, certs)
	// A pod reaches itself by 127.0.0.1. Here each pod has another address in the place of it.
	if out, code := h.ctl(0, "ctl", "tls", "init", certs, "--hosts", strings.Join(append(h.addresses, names), ",")); code != 0 {
		t.Fatal(out)
	}
	for pod := range h.names {
		h.start(pod)
	}
	awaitProbes(t, h)
	out, code := h.ctl(2, "ctl", "cluster-health")
	if code != 0 || !strings.Contains(out, "cluster is healthy") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	for _, name := range h.names {
		if !strings.Contains(out, "https://"+name+":2379") {
			t.Errorf("%s is missing:\n%s", name, out)
		}
	}
	if log := h.running[0].Stderr.String(); strings.Contains(log, "\tWARN\t") {
		t.Errorf("it warns:\n%s", log)
	}
}
