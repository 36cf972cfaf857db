package docs

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pando/ctl/program"
	"pando/members/servertest"
)

// newPods makes hosts for the pods of the StatefulSet, and for one more. The environment is the one that Kubernetes sets with a file of
// settings. certs is the directory of the secret.
func newPods(t *testing.T, settings, certs string) *hosts {
	t.Helper()
	set, _, container := statefulSet(t)
	var names []string
	for ordinal := range at[int](t, set, "spec", "replicas") + 1 {
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

// startPods starts as many pods as the StatefulSet has, all at once.
func startPods(t *testing.T, h *hosts) {
	t.Helper()
	for pod := range len(h.names) - 1 {
		h.start(pod)
	}
	awaitProbes(t, h)
}

// awaitProbes waits until all probes of the StatefulSet are met in all pods that were started.
func awaitProbes(t *testing.T, h *hosts) {
	t.Helper()
	_, _, container := statefulSet(t)
	ports := containerPorts(t, container)
	for _, probe := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
		get := at[yamlObject](t, container, probe, "httpGet")
		port, path := ports[at[string](t, get, "port")], at[string](t, get, "path")
		for pod, name := range h.names {
			if h.running[pod] != nil {
				servertest.Await(t, probe+" of "+name, func() bool { return h.answers(pod, port, path) })
			}
		}
	}
}

// TestKubernetesPods starts the pods of the StatefulSet, and does to them what happens to pods. Addresses change, names stay.
func TestKubernetesPods(t *testing.T) {
	servertest.SkipShort(t, "it starts servers")
	t.Parallel()
	h := newPods(t, settingsFile, "")
	startPods(t, h)
	_, members := servertest.AwaitPublished(t, h.running[0].Client, 3)
	servertest.NewKeyClient(t, h.running[0].Client).Must(t, http.MethodPut, "/before", servertest.Form("value", "1"))
	for _, step := range []struct {
		name string
		run  func(*testing.T, *hosts)
	}{
		{"a rolling update reaches the leader", updateLeader},
		{"all nodes fail", moveAllPods},
		{"a volume is lost", loseVolume},
		{"one member more", addPod},
		{"one member fewer", removePod},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, h) }) {
			return
		}
	}
	if _, after := servertest.AwaitPublished(t, h.running[0].Client, 3); slices.Equal(after, members) {
		t.Errorf("no member was replaced: %v", after)
	}
}

// updateLeader ends the pod that leads, and starts it again with another address.
func updateLeader(t *testing.T, h *hosts) {
	leader := -1
	servertest.Await(t, "a leader", func() bool {
		leader = h.leader()
		return leader >= 0
	})
	h.running[leader].Terminate()
	h.readdress(leader)
	h.start(leader)
	awaitProbes(t, h)
	requireKey(t, h)
}

// moveAllPods kills all pods, and starts them with other addresses.
func moveAllPods(t *testing.T, h *hosts) {
	_, before := servertest.AwaitPublished(t, h.running[0].Client, 3)
	for pod := range 3 {
		h.running[pod].Kill()
		h.readdress(pod)
	}
	startPods(t, h)
	requireKey(t, h)
	if _, after := servertest.AwaitPublished(t, h.running[0].Client, 3); !slices.Equal(after, before) {
		t.Errorf("the members were %v, and are %v", before, after)
	}
}

// requireKey makes sure that every pod that was started has the key that was written at the beginning.
func requireKey(t *testing.T, h *hosts) {
	t.Helper()
	for pod, process := range h.running {
		if process == nil {
			continue
		}
		client := servertest.NewKeyClient(t, process.Client)
		if got := client.Must(t, http.MethodGet, "/before?quorum=true", nil).Node.Value; got != "1" {
			t.Errorf("%s has %q", h.names[pod], got)
		}
	}
}

// kubectlExec runs a command that the page shows for the first pod, with id in the place of the ID that the page has.
func kubectlExec(t *testing.T, h *hosts, command, id string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "kubectl exec pando-0 -- etcdctl "+command) {
		t.Fatalf("the page does not show the command %q", command)
	}
	args := []string{"ctl", "--endpoints", "http://127.0.0.1:2379"}
	out, code := h.ctl(0, append(args, strings.Fields(strings.ReplaceAll(command, exampleID, id))...)...)
	if code != 0 {
		t.Fatalf("%s: exit code %d\n%s", command, code, out)
	}
	return out
}

// exampleID is the ID that the page has for a member.
const exampleID = "29afca0372849f84"

// memberID returns the ID of the member of a pod.
func memberID(t *testing.T, h *hosts, pod int) string {
	t.Helper()
	for line := range strings.Lines(kubectlExec(t, h, "member list", "")) {
		if id, rest, _ := strings.Cut(line, ":"); strings.Contains(rest, "name="+podName(pod)+" ") {
			return strings.TrimSuffix(id, "[unstarted]")
		}
	}
	t.Fatalf("%s is no member", podName(pod))
	return ""
}

// joining changes the settings as the page says: the cluster exists, and it has the first count pods.
func joining(h *hosts, count int) {
	settings := h.environment
	h.environment = func(host int) []string {
		var environment, cluster []string
		for pod := range count {
			cluster = append(cluster, podName(pod)+"=http://"+h.names[pod]+":2380")
		}
		for _, setting := range settings(host) {
			if !strings.HasPrefix(setting, "ETCD_INITIAL_CLUSTER=") && !strings.HasPrefix(setting, "ETCD_INITIAL_CLUSTER_STATE=") {
				environment = append(environment, setting)
			}
		}
		return append(environment, "ETCD_INITIAL_CLUSTER="+strings.Join(cluster, ","), "ETCD_INITIAL_CLUSTER_STATE=existing")
	}
}

// loseVolume deletes the volume of a pod, and replaces its member.
func loseVolume(t *testing.T, h *hosts) {
	h.running[1].Kill()
	h.running[1] = nil
	h.readdress(1)
	awaitProbes(t, h) // it may have been the leader
	kubectlExec(t, h, "member remove "+exampleID, memberID(t, h, 1))
	kubectlExec(t, h, "member add pando-1 http://pando-1.pando-peers:2380", "")
	if err := os.RemoveAll(h.volume(1)); err != nil {
		t.Fatal(err)
	}
	joining(h, 3)
	h.start(1)
	awaitProbes(t, h)
	requireKey(t, h)
}

// addPod raises the number of pods to four.
func addPod(t *testing.T, h *hosts) {
	kubectlExec(t, h, "member add pando-3 http://pando-3.pando-peers:2380", "")
	joining(h, 4)
	h.start(3)
	awaitProbes(t, h)
	requireKey(t, h)
}

// removePod lowers the number of pods to three.
func removePod(t *testing.T, h *hosts) {
	kubectlExec(t, h, "member remove "+exampleID, memberID(t, h, 3))
	if code := h.running[3].AwaitExit(); code != program.ExitMember {
		t.Errorf("exit code %d", code)
	}
	h.running[3] = nil
	awaitProbes(t, h)
	requireKey(t, h)
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
	startPods(t, h)
	out, code := h.ctl(2, "ctl", "cluster-health")
	if code != 0 || !strings.Contains(out, "cluster is healthy") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	for _, name := range h.names[:3] {
		if !strings.Contains(out, "https://"+name+":2379") {
			t.Errorf("%s is missing:\n%s", name, out)
		}
	}
	if log := h.running[0].Stderr.String(); strings.Contains(log, "\tWARN\t") {
		t.Errorf("it warns:\n%s", log)
	}
}
