package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

func TestMain(m *testing.M) { servertest.Main(m, func() int { return 0 }) }

// testRelease is a release with a program that is not Pando: these tests are about the packages, and docs/package_test.go installs one.
var testRelease = &release{version: "1.2.3-rc.1", time: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}

// buildPackages makes both packages of testRelease for one architecture.
func buildPackages(t *testing.T, program string) (deb, rpm string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "build", "linux-arm64", "pando")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, format := range []string{"deb", "rpm"} {
		file, err := testRelease.build(dir, "arm64", format)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, file)
	}
	return made[0], made[1]
}

// content is what a package says about one of its files: the mode, the owner and the target of a link.
type content struct{ mode, owner, link string }

// installed lists what both packages have, except for the pages, of which only some are named.
var installed = map[string]content{
	"/etc/default/pando":                                 {"-rw-r--r--", "root/root", ""},
	"/etc/pando/pando.yml":                               {"-rw-r--r--", "root/root", ""},
	"/usr/bin/pando":                                     {"-rwxr-xr-x", "root/root", ""},
	"/usr/bin/pandoctl":                                  {"l", "root/root", "pando"},
	"/usr/lib/pando/bin/etcdctl":                         {"l", "root/root", "../../../bin/pando"},
	"/usr/lib/systemd/system/pando.service":              {"-rw-r--r--", "root/root", ""},
	"/usr/share/man/man1/pando.1.gz":                     {"-rw-r--r--", "root/root", ""},
	"/usr/share/man/man1/pando-ctl-watch.1.gz":           {"-rw-r--r--", "root/root", ""},
	"/usr/share/man/man1/pando-ctl-v3-watch.1.gz":        {"-rw-r--r--", "root/root", ""},
	"/usr/share/man/man1/pando-import-etcd.1.gz":         {"-rw-r--r--", "root/root", ""},
	"/usr/share/man/man1/pandoctl.1.gz":                  {"l", "root/root", "pando-ctl.1.gz"},
	"/usr/share/bash-completion/completions/pando":       {"-rw-r--r--", "root/root", ""},
	"/usr/share/bash-completion/completions/pandoctl":    {"-rw-r--r--", "root/root", ""},
	"/usr/share/fish/vendor_completions.d/pandoctl.fish": {"-rw-r--r--", "root/root", ""},
	"/usr/share/doc/pando/README.md":                     {"-rw-r--r--", "root/root", ""},
	"/usr/share/doc/pando/docs/operations.md":            {"-rw-r--r--", "root/root", ""},
	"/usr/share/doc/pando/docs/monitoring/alerts.yml":    {"-rw-r--r--", "root/root", ""},
	"/usr/share/doc/pando/docs/openapi/openapi.json":     {"-rw-r--r--", "root/root", ""},
}

// checkContents compares the files of a package with installed, and with those that only this format has.
func checkContents(t *testing.T, got map[string]content, only ...string) {
	t.Helper()
	for path, want := range installed {
		if c, ok := got[path]; !ok || !strings.HasPrefix(c.mode, want.mode) || c.owner != want.owner || c.link != want.link {
			t.Errorf("%s is %+v, want %+v", path, c, want)
		}
	}
	for _, path := range only {
		if _, ok := got[path]; !ok {
			t.Errorf("%s is missing", path)
		}
	}
}

func TestPackages(t *testing.T) {
	servertest.SkipShort(t, "it runs nfpm, and no code of this program at the same time")
	deb, rpm := buildPackages(t, "a program")
	t.Run("deb", func(t *testing.T) { checkDeb(t, deb) })
	t.Run("rpm", func(t *testing.T) { checkRPM(t, rpm) })
	t.Run("another build at another time has the same bytes", func(t *testing.T) {
		deb2, rpm2 := buildPackages(t, "a program")
		for _, pair := range [][2]string{{deb, deb2}, {rpm, rpm2}} {
			if !bytes.Equal(read(t, pair[0]), read(t, pair[1])) {
				t.Errorf("two builds of %s differ", filepath.Base(pair[0]))
			}
		}
	})
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// checkDeb checks the control data and the files of the .deb.
func checkDeb(t *testing.T, deb string) {
	if want := "pando_1.2.3~rc.1_arm64.deb"; filepath.Base(deb) != want {
		t.Errorf("the package is %s, want %s", filepath.Base(deb), want)
	}
	control, got := readDeb(t, deb)
	checkContents(t, got, "/usr/share/zsh/vendor-completions/_pando", "/usr/share/doc/pando/copyright",
		"/usr/share/doc/pando/changelog.gz", "/usr/share/doc/pando/README.Debian")
	for _, line := range []string{"Package: pando", "Version: 1.2.3~rc.1", "Architecture: arm64", "Depends: adduser"} {
		if !slices.Contains(strings.Split(control["control"], "\n"), line) {
			t.Errorf("control has no line %q:\n%s", line, control["control"])
		}
	}
	if files := strings.Fields(control["conffiles"]); !slices.Equal(files, []string{"/etc/default/pando", "/etc/pando/pando.yml"}) {
		t.Errorf("conffiles are %q", files)
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		file := filepath.Join(t.TempDir(), script)
		if err := os.WriteFile(file, []byte(control[script]), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("sh", "-n", file).CombinedOutput(); err != nil || control[script] == "" {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
	if !strings.HasPrefix(testRelease.debianChangelog(), "pando (1.2.3~rc.1) ") {
		t.Errorf("the changelog is\n%s", testRelease.debianChangelog())
	}
}

// readDeb returns the files of the control archive, and what the other archive says about each of its files.
func readDeb(t *testing.T, file string) (control map[string]string, contents map[string]content) {
	t.Helper()
	control, contents = map[string]string{}, map[string]content{}
	err := readArchive(servertest.RequireProgram(t, "dpkg-deb", "dpkg"), "--ctrl-tarfile", file, func(h *tar.Header, text []byte) error {
		control[strings.TrimPrefix(h.Name, "./")] = string(text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = readArchive("dpkg-deb", "--fsys-tarfile", file, func(h *tar.Header, _ []byte) error {
		mode := h.FileInfo().Mode().String()
		if h.Typeflag == tar.TypeSymlink {
			mode = "l"
		}
		if !h.ModTime.Equal(testRelease.time) {
			return fmt.Errorf("%s has the time %v", h.Name, h.ModTime)
		}
		contents[strings.TrimPrefix(h.Name, ".")] = content{mode, h.Uname + "/" + h.Gname, h.Linkname}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return control, contents
}

// readArchive calls visit for each file of a tar archive that dpkg-deb writes.
func readArchive(dpkgDeb, option, file string, visit func(*tar.Header, []byte) error) error {
	out, err := exec.Command(dpkgDeb, option, file).Output()
	if err != nil {
		return explain(err)
	}
	for r := tar.NewReader(bytes.NewReader(out)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		text, err := io.ReadAll(r)
		if err == nil {
			err = visit(h, text)
		}
		if err != nil {
			return err
		}
	}
}

// checkRPM checks what rpm says about the .rpm.
func checkRPM(t *testing.T, file string) {
	program := servertest.RequireProgram(t, "rpm", "rpm")
	query := func(options ...string) string {
		t.Helper()
		out, err := exec.Command(program, append(options, "--dbpath", t.TempDir(), "-qp", file)...).Output()
		if err != nil {
			t.Fatal(explain(err))
		}
		return string(out)
	}
	if got := query("--queryformat", "%{NAME} %{VERSION} %{RELEASE} %{ARCH} %{LICENSE}"); got != "pando 1.2.3~rc.1 1 aarch64 Apache-2.0" {
		t.Errorf("the package is %q", got)
	}
	got := map[string]content{}
	for line := range strings.Lines(query("--queryformat",
		"[%{FILENAMES}|%{FILEMODES:perms}|%{FILEUSERNAME}/%{FILEGROUPNAME}|%{FILELINKTOS}|%{FILEFLAGS:fflags}|%{FILEMTIMES}\n]")) {
		f := strings.Split(strings.TrimRight(line, "\n"), "|")
		got[f[0]] = content{f[1], f[2], f[3]}
		if strings.HasPrefix(f[0], "/etc/") && f[4] != "cn" && f[1][0] == '-' {
			t.Errorf("%s has the flags %q, and would be replaced at an upgrade", f[0], f[4])
		}
		if f[5] != fmt.Sprint(testRelease.time.Unix()) {
			t.Errorf("%s has the time %s", f[0], f[5])
		}
	}
	checkContents(t, got, "/usr/share/zsh/site-functions/_pando", "/usr/share/licenses/pando/LICENSE", "/usr/share/doc/pando/README.package")
	scripts := query("--scripts")
	for _, want := range []string{
		"useradd --system", "mkdir -m 0700 /var/lib/pando", "disable --now pando.service", "try-restart pando.service",
	} {
		if !strings.Contains(scripts, want) {
			t.Errorf("no script has %q", want)
		}
	}
}

func TestBuildErrors(t *testing.T) {
	_, err := testRelease.build(t.TempDir(), "amd64", "deb")
	if err == nil || !strings.Contains(err.Error(), "make deb rpm builds the program first") {
		t.Errorf("without a program: %v", err)
	}
	if _, err := testRelease.build(t.TempDir(), "amd64", "apk"); err == nil || !strings.Contains(err.Error(), "use deb or rpm") {
		t.Errorf("another format: %v", err)
	}
	if err := run([]string{"build"}); err == nil || !strings.Contains(err.Error(), "usage:") {
		t.Errorf("no directory: %v", err)
	}
}

// unzip returns the text of a compressed file.
func unzip(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
