package docs

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pando/members/config"
	"pando/members/servertest"
	"pando/stats"
)

// composeServices returns the services of the compose file that have a profile, sorted by name.
func composeServices(t *testing.T, profile string) (names []string, services yamlObject) {
	t.Helper()
	file := readYAML(t, filepath.Join("docs", "deploy", "compose.yml"))[0]
	services = at[yamlObject](t, file, "services")
	for name := range services {
		if slices.Contains(at[[]any](t, services, name, "profiles"), any(profile)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, services
}

// TestCompose starts the containers of each profile of the compose file.
func TestCompose(t *testing.T) {
	for profile, count := range map[string]int{"one": 1, "three": 3} {
		t.Run(profile, func(t *testing.T) {
			servertest.SkipShort(t, "it starts servers")
			t.Parallel()
			names, services := composeServices(t, profile)
			if len(names) != count {
				t.Fatalf("the services are %v", names)
			}
			startCompose(t, names, services)
		})
	}
}

// startCompose starts services, and makes sure that their checks of health are met and that they are one cluster.
func startCompose(t *testing.T, names []string, services yamlObject) {
	h := newHosts(t, names)
	h.environment = func(host int) []string {
		var environment []string
		for name, value := range at[yamlObject](t, services, names[host], "environment") {
			environment = append(environment, name+"="+value.(string))
		}
		return environment
	}
	h.mounts = func(host int) []string {
		_, path, _ := strings.Cut(at[string](t, services, names[host], "volumes", "0"), ":")
		return []string{path, h.volume(host)}
	}
	for host, name := range names {
		if _, warnings, err := config.Load(nil, h.environment(host)); err != nil || len(warnings) > 0 {
			t.Fatalf("%s: %v, %q", name, err, warnings)
		}
		if got, want := at[string](t, services, name, "image"), "pando:"+strings.TrimSuffix(stats.Version, "-dev"); got != want {
			t.Errorf("%s has the image %s, want %s", name, got, want)
		}
		h.start(host)
	}
	for host, name := range names {
		test := at[[]any](t, services, name, "healthcheck", "test")
		if test[0] != "CMD" || test[1] != "pando" {
			t.Fatalf("the check of health is %v", test)
		}
		var args []string
		for _, arg := range test[2:] {
			args = append(args, arg.(string))
		}
		servertest.Await(t, name+" to be healthy", func() bool {
			_, code := h.ctl(host, args...)
			return code == 0
		})
	}
	servertest.AwaitPublished(t, h.running[0].Client, len(names))
	servertest.AwaitReplicated(t, h.running[0].Client, h.running[len(names)-1].Client)
	h.running[0].Terminate()
	h.readdress(0)
	h.start(0)
	servertest.Await(t, names[0]+" to be back", func() bool { return h.answers(0, 2379, "/readyz") })
	servertest.NewKeyClient(t, h.running[0].Client).Must(t, http.MethodGet, "/replicated?quorum=true", nil)
}
