package docs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// anything stands for all packages of the house.
var anything = []string{"*"}

// allowed says which packages of the house the code of a package may import. A package that is not listed is refused.
// docs/architecture.md draws it.
var allowed = map[string][]string{
	"": {"ctl/program"},

	"tree":          {"tree/btree", "tree/users"},
	"tree/btree":    {},
	"tree/users":    {"tree/btree"},
	"members":       {},
	"stats":         {},
	"stats/logging": {},
	"storage":       {"tree", "tree/users"},

	"storage/etcdv2": {"tree", "tree/users", "storage/etcdv3", "storage/wire"},
	"storage/etcdv3": {"tree", "tree/users", "storage/wire"},
	"storage/wire":   {},

	"raft":           {"tree", "tree/users", "storage", "members", "stats", "raft/transport", "raft/pace"},
	"raft/transport": {"members", "members/certs", "stats", "raft/pace"},
	"raft/pace":      {},
	"raft/offline":   {"raft", "storage", "members"},

	"httpapi": {
		"httpapi/auth", "httpapi/budget", "httpapi/h2", "httpapi/probe", "httpapi/service", "httpapi/stream", "httpapi/v2", "httpapi/v3",
		"tree", "tree/users", "members", "members/certs", "stats",
	},
	"httpapi/audit":   {"stats/logging"},
	"httpapi/budget":  {"tree"},
	"httpapi/h2":      {},
	"httpapi/probe":   {},
	"httpapi/rpc":     {"httpapi/budget"},
	"httpapi/auth":    {"tree/users"},
	"httpapi/service": {"httpapi/audit", "httpapi/auth", "httpapi/probe", "tree", "tree/users", "members", "stats"},
	"httpapi/stream":  {"httpapi/budget", "tree"},
	"httpapi/v2":      {"httpapi/auth", "httpapi/budget", "httpapi/service", "httpapi/stream", "tree", "tree/users", "members", "stats"},
	"httpapi/v3": {
		"httpapi/auth", "httpapi/budget", "httpapi/h2", "httpapi/rpc", "httpapi/service", "tree", "tree/users", "members", "stats",
	},
	"httpapi/proxy":       {"httpapi", "httpapi/probe", "members", "members/certs", "stats"},
	"httpapi/ui":          {},
	"httpapi/ui/browser":  anything,
	"httpapi/conformance": anything,

	"members/config": {},
	"members/certs":  {},
	"members/server": {
		"docs/openapi",
		"httpapi", "httpapi/audit", "httpapi/proxy", "httpapi/service", "httpapi/ui", "members", "members/certs", "members/config",
		"members/server/systemd", "members/server/tuning",
		"raft", "raft/offline", "raft/transport", "stats", "storage", "storage/etcdv3", "tree",
	},
	"members/server/systemd": {},
	"members/server/tuning":  {},
	"members/servertest":     {"members/certs"},
	"members/faulttest":      anything,

	"ctl":           {"ctl/bench", "ctl/client", "ctl/diff", "ctl/terminal", "ctl/top", "members/certs", "tree"},
	"ctl/bench":     {"ctl/client", "ctl/terminal"},
	"ctl/client":    {"members/certs", "tree"},
	"ctl/diff":      {"ctl/client"},
	"ctl/migrate":   {"ctl/client", "ctl/diff", "tree"},
	"ctl/terminal":  {},
	"ctl/top":       {"ctl/client", "ctl/terminal"},
	"ctl/v3":        {"ctl", "ctl/client", "ctl/terminal", "ctl/v3/client"},
	"ctl/v3/client": {},
	"ctl/program":   anything,

	"docs/openapi":        {},
	"docs/openapi/check":  {"docs/openapi"},
	"docs/deploy/package": {"ctl/program", "ctl/v3", "members/config"},

	"docs": anything,
}

// forTests is what tests of any package may import besides.
var forTests = []string{"docs/openapi", "docs/openapi/check", "httpapi/audit", "members/certs", "members/servertest", "tree/users"}

// outside says who may import libraries whose place in the house is fixed, and under which name where that is fixed
// too. A module that is not listed may be imported by anyone; of one that is, no other package may. The first entry that fits an
// import counts.
var outside = []struct {
	module   string
	packages map[string]string // to the name it must be imported by; empty for its own
	rooms    []string          // or packages
}{
	{"go.etcd.io/raft", map[string]string{
		"go.etcd.io/raft/v3":         "etcdraft",
		"go.etcd.io/raft/v3/raftpb":  "",
		"go.etcd.io/raft/v3/tracker": "",
	}, []string{"raft", "storage"}},
	{"go.etcd.io/etcd/api/v3", map[string]string{
		"go.etcd.io/etcd/api/v3/authpb":         "",
		"go.etcd.io/etcd/api/v3/etcdserverpb":   "pb",
		"go.etcd.io/etcd/api/v3/mvccpb":         "",
		"go.etcd.io/etcd/api/v3/v3rpc/rpctypes": "",
	}, []string{"httpapi", "ctl", "members/faulttest"}}, // faulttest mixes clients of both APIs
	// These contain generated messages alone.
	{"go.etcd.io/etcd/server/v3/etcdserver/api", map[string]string{
		"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb": "",
		"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb":         "",
	}, []string{"httpapi"}},
	{"go.etcd.io/etcd", map[string]string{
		"go.etcd.io/etcd/server/v3/storage/wal":       "",
		"go.etcd.io/etcd/server/v3/storage/wal/walpb": "",
	}, []string{"storage"}},
	{"github.com/chromedp", map[string]string{ // it is for tests, and not in the program
		"github.com/chromedp/chromedp":        "",
		"github.com/chromedp/chromedp/kb":     "",
		"github.com/chromedp/cdproto/browser": "",
		"github.com/chromedp/cdproto/cdp":     "",
		"github.com/chromedp/cdproto/input":   "",
		"github.com/chromedp/cdproto/log":     "",
		"github.com/chromedp/cdproto/page":    "",
		"github.com/chromedp/cdproto/target":  "",
	}, []string{"httpapi/ui/browser"}},
}

// exceptions are packages that the tests of one package may import, though no other package may.
var exceptions = map[string]string{
	"go.etcd.io/etcd/client/v2":             "httpapi/conformance", // etcd's own client is run against Pando
	"go.etcd.io/etcd/server/v3/storage/wal": "raft",                // its segments are made small
	"pando/ctl/program":                     "ctl/v3",              // the test binary runs as a server
}

// arrow is one import of one file.
type arrow struct {
	file, from, to string // to: the import path
	name           string // that the file gives it; empty for its own
}

// TestImports keeps the rooms apart: an arrow that is not in the tables above fails, in tests too.
func TestImports(t *testing.T) {
	arrows := readImports(t)
	if len(arrows) < 100 {
		t.Fatalf("only %d imports found", len(arrows))
	}
	for _, a := range arrows {
		if problem := forbidden(a); problem != "" {
			t.Errorf("%s imports %q: %s", a.file, a.to, problem)
		}
	}
}

// TestForbidden makes sure that the tables forbid anything at all.
func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		from, to, name string
		wrong          bool
	}{
		{"", "pando/ctl/program", "", false},
		{"", "pando/raft", "", true},
		{"ctl/program", "pando/raft/offline", "", false},
		{"members/server", "pando/raft", "", false},
		{"members/server", "pando/ctl", "", true},
		{"members/config", "pando/members", "", true},
		{"members/server/tuning", "pando/members/config", "", true},
		{"ctl", "pando/members/config", "", true},
		{"raft/transport", "pando/raft", "", true},
		{"httpapi/proxy", "pando/httpapi", "", false},
		{"raft", "pando/storage", "", false},
		{"raft", "pando/raft/transport", "", false},
		{"raft/transport", "pando/members", "", false},
		{"storage", "go.etcd.io/raft/v3", "etcdraft", false},
		{"storage", "go.etcd.io/etcd/server/v3/storage/wal", "", false},
		{"tree", "github.com/tidwall/btree", "", false},
		{"tree", "pando/members", "", true},
		{"httpapi", "pando/raft", "", true},
		{"httpapi/auth", "pando/storage", "", true},
		{"ctl", "pando/httpapi", "", true},
		{"cellar", "pando/tree", "", true},
		{"raft", "go.etcd.io/raft/v3", "", true},
		{"raft", "go.etcd.io/raft/v3/raftpb", "pb", true},
		{"raft", "go.etcd.io/raft/v3/quorum", "", true},
		{"httpapi", "go.etcd.io/raft/v3/raftpb", "", true},
		{"raft", "go.etcd.io/etcd/server/v3/storage/wal", "", true},
		{"storage", "go.etcd.io/etcd/client/pkg/v3/fileutil", "", true},
		{"", "go.etcd.io/etcd/client/v3", "", true},
		{"ctl/v3", "go.etcd.io/etcd/api/v3/etcdserverpb", "pb", false},
		{"httpapi/ui/browser", "github.com/chromedp/chromedp", "", false},
		{"httpapi/ui", "github.com/chromedp/chromedp", "", true},
	} {
		t.Run(c.from+" "+c.to, func(t *testing.T) {
			problem := forbidden(arrow{from: c.from, to: c.to, name: c.name})
			if (problem != "") != c.wrong {
				t.Errorf("got %q, want a problem: %v", problem, c.wrong)
			}
		})
	}
}

// forbidden says what is wrong with an arrow; empty for nothing.
func forbidden(a arrow) string {
	room, _, _ := strings.Cut(a.from, "/")
	if strings.HasSuffix(a.file, "_test.go") && exceptions[a.to] == a.from {
		return ""
	}
	if to, ours := strings.CutPrefix(a.to, "pando/"); ours {
		return forbiddenPackage(a, to)
	}
	for _, o := range outside {
		if !strings.HasPrefix(a.to, o.module+"/") {
			continue
		}
		name, known := o.packages[a.to]
		switch {
		case !known:
			return "this package of " + o.module + " has no place in the house"
		case !slices.Contains(o.rooms, room) && !slices.Contains(o.rooms, a.from):
			return "only " + strings.Join(o.rooms, " and ") + " may"
		case a.name != name && name != "":
			return "import it as " + name
		case a.name != name:
			return "import it under its own name"
		}
		return ""
	}
	return ""
}

// forbiddenPackage says what is wrong with an arrow from one package of the house to another.
func forbiddenPackage(a arrow, to string) string {
	list, known := allowed[a.from]
	switch {
	case !known:
		return a.from + " is no package of the house: docs/imports_test.go has to say what it may import"
	case a.from == to, slices.Equal(list, anything), slices.Contains(list, to):
		return ""
	case strings.HasSuffix(a.file, "_test.go") && slices.Contains(forTests, to):
		return ""
	}
	return a.from + " must not know " + to
}

func readImports(t *testing.T) []arrow {
	t.Helper()
	var arrows []arrow
	for _, file := range goFiles(t) {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			a := arrow{file: file, from: strings.TrimPrefix(path.Dir(filepath.ToSlash(file)), "."), to: to}
			if spec.Name != nil {
				a.name = spec.Name.Name
			}
			arrows = append(arrows, a)
		}
	}
	return arrows
}

// isModule reports whether a directory is a module of its own.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// goFiles lists all Go files of the module.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || len(name) > 1 && strings.HasPrefix(entry.Name(), ".")):
			return filepath.SkipDir
		case entry.IsDir() && name != "." && isModule(name):
			return filepath.SkipDir
		case filepath.Ext(name) == ".go":
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
