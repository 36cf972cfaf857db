package servertest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// runProgram is an environment variable. If it is set, Main runs the program instead of the tests.
const runProgram = "RUN_PROGRAM_UNDER_TEST"

// Main is called by the TestMain of a package. It runs the tests in the root of the module, where testdata and docs are.
// In a process that was started by StartCommand it runs program instead of the tests. Main does not return: it exits with
// the code of the tests or of program. It calls the functions in after when the tests have ended.
func Main(m *testing.M, program func() int, after ...func()) {
	if os.Getenv(runProgram) != "" {
		os.Exit(program())
	}
	if err := os.Chdir(moduleRoot()); err != nil {
		panic(err)
	}
	// Settings in the developer's environment must not influence the tests.
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); isSetting(name) {
			os.Unsetenv(name)
		}
	}
	code := m.Run()
	for _, f := range after {
		f()
	}
	os.Exit(code)
}

// isSetting reports whether an environment variable configures a server or a client.
func isSetting(name string) bool {
	return strings.HasPrefix(name, "ETCD_") || strings.HasPrefix(name, "PANDO_") || strings.HasPrefix(name, "ETCDCTL_")
}

// moduleRoot returns the nearest directory at or above the working directory that holds a go.mod.
func moduleRoot() string {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	panic("servertest: no go.mod at or above the working directory")
}

// RequireProgram returns the path of a program that a test needs. If the program is not installed, it skips the test, or
// fails it if CI=true is set.
func RequireProgram(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name+" is not on the PATH", debianPackage)
	}
	return path
}

// RequirePython is RequireProgram for a module of Debian's Python. It returns the path of Python.
func RequirePython(t testing.TB, module, debianPackage string) string {
	t.Helper()
	python := RequireProgram(t, "/usr/bin/python3", "python3")
	if err := exec.Command(python, "-c", "import "+module).Run(); err != nil {
		missing(t, python+" has no module "+module, debianPackage)
	}
	return python
}

// missing skips the test, or fails it if CI=true is set, because a package is not installed.
func missing(t testing.TB, problem, debianPackage string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s, and CI=true requires it: install the package %s", problem, debianPackage)
	}
	t.Skipf("%s: install the package %s", problem, debianPackage)
}

// SkipShort skips the test if go test was called with -short. go test -v shows the reason.
func SkipShort(t testing.TB, reason string) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped with -short: " + reason)
	}
}

// versionFile holds the version of etcd with which the transcripts were recorded.
const versionFile = "testdata/transcripts/VERSION"

// RequireEtcd is RequireProgram for etcd. It also fails the test if the installed version is not the one of the transcripts.
// With -update it accepts any version.
func RequireEtcd(t testing.TB) string {
	t.Helper()
	path := RequireProgram(t, "etcd", "etcd-server")
	if problem := etcdVersionProblem(); problem != "" && !*Update {
		t.Fatal(problem)
	}
	return path
}

// etcdVersionProblem compares the version of the installed etcd with versionFile. It returns a description of the
// difference, or "".
var etcdVersionProblem = sync.OnceValue(func() string {
	output, err := exec.Command("etcd", "--version").Output()
	recorded, fileErr := os.ReadFile(filepath.Join(moduleRoot(), versionFile))
	if err := errors.Join(err, fileErr); err != nil {
		return err.Error()
	}
	want := strings.TrimSpace(string(recorded))
	if strings.HasPrefix(string(output), "etcd Version: "+want+"\n") {
		return ""
	}
	return fmt.Sprintf("the transcripts were recorded with etcd %s (%s), but etcd --version prints\n%s"+
		"put etcd %s first on the PATH, or record the transcripts again with -update", want, versionFile, output, want)
})
