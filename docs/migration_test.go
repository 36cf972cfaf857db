package docs

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// The pages whose commands are typed.
const (
	migrationPage  = "docs/migration.md"
	operationsPage = "docs/operations.md"
	runbooksPage   = "docs/runbooks.md"
)

// migrationStory is a number of sections of a page that follow each other, and the machines that they are about.
type migrationStory struct {
	name     string
	page     string
	sections []string
	ips      []string
	prepare  func(t *testing.T, machines []*machine)
}

var (
	oneMachine    = []string{"10.0.0.1"}
	threeMachines = []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}
)

var migrationStories = []migrationStory{
	{"one member", migrationPage, []string{"What you have", "Rehearsal", "One member", "Back to etcd"}, oneMachine, startEtcd},
	{"three members", migrationPage, []string{"Three members"}, threeMachines, startEtcd},
	{"TLS and users", migrationPage, []string{"TLS and users"}, oneMachine, startSecuredEtcd},
	{"without a stop", migrationPage, []string{"Without a stop"}, []string{"10.0.0.1", "10.0.0.11"}, startFirstEtcd},
	{"import of one member", operationsPage, []string{"Moving from etcd", "One member of etcd"}, oneMachine, startEtcd},
	{"import of three members", operationsPage, []string{"Three members from one import"}, threeMachines, startEtcd},
	{"repair of a member", runbooksPage, []string{"PandoDataDiffers"}, threeMachines, startDiffering},
}

// TestMigrationPages types the commands of the pages against real servers of etcd and Pando, and compares what they print.
func TestMigrationPages(t *testing.T) {
	servertest.SkipShort(t, "it starts clusters of both programs")
	servertest.RequireEtcd(t)
	servertest.RequireProgram(t, "ss", "iproute2")
	commands := map[string][]sessionCommand{}
	for _, page := range []string{migrationPage, operationsPage, runbooksPage} {
		commands[page] = readSession(t, page)
		requirePrograms(t, commands[page])
		for _, c := range commands[page] {
			tested := slices.ContainsFunc(migrationStories, func(s migrationStory) bool {
				return s.page == page && slices.Contains(s.sections, c.section)
			})
			if !tested {
				t.Errorf("%s:%d: no test types the commands of the section %q", page, c.line, c.section)
			}
		}
	}
	for _, story := range migrationStories {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			machines := newMachines(t, story.ips...)
			story.prepare(t, machines)
			typed := 0
			for _, c := range commands[story.page] {
				if slices.Contains(story.sections, c.section) {
					typeOnMachines(t, machines, story.page, c)
					typed++
				}
			}
			if typed < 5 {
				t.Errorf("only %d commands found", typed)
			}
		})
	}
}

// typeOnMachines types a command of a page, and compares what it prints. It is typed on the first machine, or on those that the block
// names: an address, or "each". A block "example" is that of the first machine, and typed on each with its own name and addresses. The
// commands of a block "fails" fail.
func typeOnMachines(t *testing.T, machines []*machine, page string, c sessionCommand) {
	t.Helper()
	on, fails, example := machines[:1], false, false
	for _, word := range strings.Fields(c.kind) {
		switch i := slices.IndexFunc(machines, func(m *machine) bool { return m.ip == word }); {
		case word == "each":
			on = machines
		case word == "example":
			on, example = machines, true
		case word == "fails":
			fails = true
		case i >= 0:
			on = machines[i : i+1]
		default:
			t.Fatalf("%s:%d: nothing has the name %s", page, c.line, word)
		}
	}
	for _, m := range on {
		command := c.text
		if example {
			command = asOn(m, command)
		}
		matches := func(output string) bool { return sessionPattern(machineForm(c.want)).MatchString(machineForm(output)) }
		output, code := m.typeCommand(command)
		if aboutMembers.MatchString(command) { // a member that has just started may need a moment
			servertest.Poll(servertest.Timeout, 100*time.Millisecond, func() bool {
				if !matches(output) || (code != 0) != fails {
					output, code = m.typeCommand(command)
				}
				return matches(output) && (code != 0) == fails
			})
		}
		if (code != 0) != fails {
			t.Errorf("%s:%d: on %s: $ %s\nended with %d and printed\n%s", page, c.line, m.ip, command, code, output)
		}
		if !matches(output) {
			t.Errorf("%s:%d: on %s: $ %s\nprints\n%s\nwhere the page shows\n%s", page, c.line, m.ip, command, machineForm(output),
				machineForm(c.want))
		}
	}
	if t.Failed() {
		t.FailNow() // later commands depend on this one
	}
}

// aboutMembers matches the commands that show the state of all members, and change nothing.
var aboutMembers = regexp.MustCompile(
	`^(ETCDCTL_API=2 )?(etcdctl|pando ctl)( --endpoints \S+)? (member list|cluster-health|endpoint status)`)

// asOn turns a command with the name and the addresses of the first machine into that of another one.
func asOn(m *machine, command string) string {
	command = strings.ReplaceAll(command, "--name m1 ", "--name "+m.member.Name+" ")
	ownURLs := regexp.MustCompile(`(--(?:listen|advertise|initial-advertise)-[a-z-]*urls http://)10\.0\.0\.1:`)
	return ownURLs.ReplaceAllString(command, "${1}"+m.ip+":")
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

// startSecuredEtcd starts etcd with TLS and with users.
func startSecuredEtcd(t *testing.T, machines []*machine) {
	m := machines[0]
	do := func(command string) {
		t.Helper()
		command = strings.ReplaceAll(command, "etcdctl ", "etcdctl --timeout 30s --total-timeout 30s ") // for a busy machine
		if output, code := m.run(m.here(command)); code != 0 {
			t.Fatalf("%s: %s", command, output)
		}
	}
	do("rmdir /etc/etcd && pando ctl tls init /etc/etcd --hosts 127.0.0.1")
	var files strings.Builder
	for _, setting := range [][2]string{
		{"CERT", "server.pem"}, {"KEY", "server-key.pem"},
		{"PEER_CERT", "peer.pem"}, {"PEER_KEY", "peer-key.pem"}, {"PEER_TRUSTED_CA", "ca.pem"},
	} {
		fmt.Fprintf(&files, "ETCD_%s_FILE=%s\n", setting[0], m.file("/etc/etcd/"+setting[1]))
	}
	m.write("/etc/default/etcd", strings.ReplaceAll(etcdSettings(m, machines), "http:", "https:")+files.String())
	m.systemctl("start", "etcd")
	do("export ETCDCTL_API=2 ETCDCTL_ENDPOINTS=https://10.0.0.1:2379 ETCDCTL_CA_FILE=/etc/etcd/ca.pem")
	do("until etcdctl set /config/app1 on; do sleep 0.1; done")
	do("etcdctl user add root:secret && etcdctl user add alice:wonder && etcdctl role add readers")
	do("etcdctl role grant readers --path '/config/*' --read && etcdctl user grant alice --roles readers")
	do("etcdctl auth enable && etcdctl --username root:secret role remove guest")
}

// TestMigrationErrors checks that the errors, which the page explains, are those of the program.
func TestMigrationErrors(t *testing.T) {
	text, err := os.ReadFile(migrationPage)
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, file := range goFiles(t) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") {
			code.Write(content)
		}
	}
	const ofTheSystem = "address already in use, permission denied"
	_, section, _ := strings.Cut(string(text), "\n## When something goes wrong\n")
	section, _, _ = strings.Cut(section, "\n## ")
	quoted := regexp.MustCompile("(?m)^- \\*\\*[^`\n]*`([^`\n]+)`").FindAllStringSubmatch(section, -1)
	if len(quoted) < 10 {
		t.Errorf("only %d errors found", len(quoted))
	}
	for _, q := range quoted {
		if !strings.Contains(code.String(), q[1]) && !strings.Contains(ofTheSystem, q[1]) {
			t.Errorf("no error of the program has the text %q", q[1])
		}
	}
}

// startFirstEtcd starts etcd on the first machine alone.
func startFirstEtcd(t *testing.T, machines []*machine) { startEtcd(t, machines[:1]) }
