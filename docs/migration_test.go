package docs

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pando/members/servertest"
)

// migrationPage is the page whose commands are typed.
const migrationPage = "docs/migration.md"

// migrationStory is a number of sections of the page that follow each other, and the machines that they are about.
type migrationStory struct {
	name     string
	sections []string
	ips      []string
	prepare  func(t *testing.T, machines []*machine)
}

var migrationStories = []migrationStory{
	{"one member", []string{"What you have", "Rehearsal", "One member"}, []string{"10.0.0.1"}, prepareOne},
	{"three members", []string{"Three members"}, []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}, prepareThree},
}

// TestMigrationPage types the commands of the page against real servers of etcd and Pando, and compares what they print.
func TestMigrationPage(t *testing.T) {
	servertest.SkipShort(t, "it starts clusters of both programs")
	text, err := os.ReadFile(migrationPage)
	if err != nil {
		t.Fatal(err)
	}
	commands := parseSession(string(text))
	requirePrograms(t, commands)
	servertest.RequireEtcd(t)
	servertest.RequireProgram(t, "ss", "iproute2")
	t.Run("every section has a story", func(t *testing.T) {
		for _, c := range commands {
			if !slices.ContainsFunc(migrationStories, func(s migrationStory) bool { return slices.Contains(s.sections, c.section) }) {
				t.Errorf("%s:%d: no test types the commands of the section %q", migrationPage, c.line, c.section)
			}
		}
	})
	for _, story := range migrationStories {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			machines := newMachines(t, story.ips...)
			story.prepare(t, machines)
			typed := 0
			for _, c := range commands {
				if slices.Contains(story.sections, c.section) {
					typeOnMachines(t, machines, c)
					typed++
				}
			}
			if typed < 5 {
				t.Errorf("only %d commands found", typed)
			}
		})
	}
}

// typeOnMachines types a command, and compares what it prints. In a block "each" it is typed on all machines, in a block with an address
// on that one, and otherwise on the first. The commands of a block "fails" fail.
func typeOnMachines(t *testing.T, machines []*machine, c sessionCommand) {
	t.Helper()
	on, fails := machines[:1], false
	for _, word := range strings.Fields(c.kind) {
		switch i := slices.IndexFunc(machines, func(m *machine) bool { return m.ip == word }); {
		case word == "each":
			on = machines
		case word == "fails":
			fails = true
		case i >= 0:
			on = machines[i : i+1]
		default:
			t.Fatalf("%s:%d: nothing has the name %s", migrationPage, c.line, word)
		}
	}
	for _, m := range on {
		output, code := m.typeCommand(c.text)
		if (code != 0) != fails {
			t.Errorf("%s:%d: on %s: $ %s\nended with %d and printed\n%s", migrationPage, c.line, m.ip, c.text, code, output)
		}
		if got, want := machineForm(output), machineForm(c.want); !sessionPattern(want).MatchString(got) {
			t.Errorf("%s:%d: on %s: $ %s\nprints\n%s\nwhere the page shows\n%s", migrationPage, c.line, m.ip, c.text, got, want)
		}
	}
	if t.Failed() {
		t.FailNow() // later commands depend on this one
	}
}

// etcdSettings returns the environment file of etcd on a machine.
func etcdSettings(m *machine, cluster []*machine) string {
	var initial []servertest.Member
	for _, other := range cluster {
		initial = append(initial, other.member)
	}
	return strings.Join([]string{
		"ETCD_NAME=" + m.member.Name,
		"ETCD_DATA_DIR=" + m.file("/var/lib/etcd/default"),
		"ETCD_ENABLE_V2=true",
		"ETCD_LISTEN_CLIENT_URLS=" + m.member.ClientURL(),
		"ETCD_ADVERTISE_CLIENT_URLS=" + m.member.ClientURL(),
		"ETCD_LISTEN_PEER_URLS=" + m.member.PeerURL(),
		"ETCD_INITIAL_ADVERTISE_PEER_URLS=" + m.member.PeerURL(),
		"ETCD_INITIAL_CLUSTER=" + servertest.InitialCluster(initial),
	}, "\n") + "\n"
}

// startEtcd starts a cluster of etcd on the machines, with keys.
func startEtcd(t *testing.T, cluster []*machine) {
	t.Helper()
	for _, m := range cluster {
		m.write("/etc/default/etcd", etcdSettings(m, cluster))
		m.systemctl("start", "etcd")
	}
	for _, m := range cluster {
		servertest.AwaitPublished(t, m.member.ClientURL(), len(cluster))
	}
	keys := servertest.NewKeyClient(t, cluster[0].member.ClientURL())
	for i := range 3 {
		keys.Must(t, "PUT", fmt.Sprintf("/config/app%d", i+1), servertest.Form("value", "on"))
	}
	keys.Must(t, "PUT", "/services/web", servertest.Form("value", "10.0.0.7", "ttl", "3600"))
	keys.Must(t, "PUT", "/_locks/job", servertest.Form("value", "worker-4", "ttl", "3600"))
}

func prepareOne(t *testing.T, machines []*machine) { startEtcd(t, machines) }

func prepareThree(t *testing.T, machines []*machine) { startEtcd(t, machines) }
