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

// runProgram is the environment variable that makes the test binary run the program instead of its tests.
const runProgram = "RUN_PROGRAM_UNDER_TEST"

// Main runs the tests of a package from the root of the module, where testdata and docs are. In a process that
// StartCommand has started it runs program instead, and exits with the code that program returns.
func Main(m *testing.M, program func() int) {
	if os.Getenv(runProgram) != "" {
		os.Exit(program())
	}
	if err := os.Chdir(moduleRoot()); err != nil {
		panic(err)
	}
	// Settings in the environment of the developer must not reach the tests.
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); isSetting(name) {
			os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
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
	panic("the tests do not run inside a module")
}

// RequireProgram returns the path of a program that a test needs. Without the program it skips the test, or fails it if
// CI=true is set.
func RequireProgram(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is not on the PATH, and CI=true requires it: install the package %s", name, debianPackage)
	}
	t.Skipf("%s is not on the PATH: install the package %s", name, debianPackage)
	return ""
}

// SkipShort skips a test where go test has the flag -short, as with the race detector. The reason is shown.
func SkipShort(t testing.TB, reason string) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out with -short: " + reason)
	}
}

// versionFile holds the version of etcd that the transcripts were recorded with.
const versionFile = "testdata/transcripts/VERSION"

// RequireEtcd returns the path of etcd, like RequireProgram. It fails the test if etcd is not the version whose answers
// were recorded, unless they are being recorded again.
func RequireEtcd(t testing.TB) string {
	t.Helper()
	path := RequireProgram(t, "etcd", "etcd-server")
	if problem := wrongVersion(); problem != "" && !*Update {
		t.Fatal(problem)
	}
	return path
}

// wrongVersion compares the version of etcd on the PATH with the recorded one, and describes a difference.
var wrongVersion = sync.OnceValue(func() string {
	output, err := exec.Command("etcd", "--version").Output()
	recorded, fileErr := os.ReadFile(versionFile)
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
