package docs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pando/members/servertest"
)

// debianRoot is a directory that holds a minimal Debian: the essential packages and adduser, as debootstrap unpacks them. The files
// are those of the packages on this machine, so that the test needs no network.
type debianRoot struct{ dir string }

// newDebianRoot makes a root. Only root can use one.
func newDebianRoot(t *testing.T) *debianRoot {
	t.Helper()
	servertest.RequireProgram(t, "dpkg-query", "dpkg")
	if os.Getuid() != 0 {
		t.Skip("only root can change the root directory")
	}
	r := &debianRoot{dir: t.TempDir()}
	for _, dir := range strings.Fields("usr/bin usr/sbin usr/lib usr/lib64 dev etc tmp var/lib/dpkg/info var/lib/dpkg/updates") {
		if err := os.MkdirAll(filepath.Join(r.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+name, filepath.Join(r.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	packages := essentialPackages(t)
	r.unpack(t, packages)
	r.register(t, packages)
	r.configure(t)
	return r
}

// essentialPackages returns the packages on this machine that every Debian has, adduser, and what they depend on.
func essentialPackages(t *testing.T) []string {
	t.Helper()
	out := output(t, "dpkg-query", "--show", "--showformat", "${Package}\t${Essential}\t${Pre-Depends}, ${Depends}\n")
	depends, wanted := map[string]string{}, []string{"adduser"}
	for line := range strings.Lines(out) {
		f := strings.SplitN(strings.TrimSpace(line), "\t", 3)
		if len(f) == 3 {
			if depends[f[0]] = f[2]; f[1] == "yes" {
				wanted = append(wanted, f[0])
			}
		}
	}
	if _, installed := depends["adduser"]; !installed {
		servertest.RequireProgram(t, "adduser", "adduser")
	}
	name := regexp.MustCompile(`[a-z0-9][a-z0-9.+-]+`)
	for i := 0; i < len(wanted); i++ {
		for alternatives := range strings.SplitSeq(depends[wanted[i]], ",") {
			for alternative := range strings.SplitSeq(alternatives, "|") {
				p := name.FindString(alternative)
				if _, installed := depends[p]; installed && !slices.Contains(wanted, p) {
					wanted = append(wanted, p)
				}
			}
		}
	}
	return wanted
}

// unpack copies the files of packages to the root.
func (r *debianRoot) unpack(t *testing.T, packages []string) {
	t.Helper()
	var files []string
	for line := range strings.Lines(output(t, "dpkg-query", append([]string{"--listfiles"}, packages...)...)) {
		line = strings.TrimSpace(line)
		unused := regexp.MustCompile(`^/usr/share/(doc|man|locale|info|zoneinfo|perl)/`)
		if _, err := os.Lstat(line); err != nil || !strings.HasPrefix(line, "/") || line == "/." || unused.MatchString(line) {
			continue
		}
		if info, err := os.Stat(line); err == nil && info.IsDir() {
			if err := os.MkdirAll(filepath.Join(r.dir, line), 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		files = append(files, strings.TrimPrefix(line, "/"))
	}
	list := filepath.Join(t.TempDir(), "files")
	if err := os.WriteFile(list, []byte(strings.Join(files, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	output(t, "sh", "-c", `tar -C / -cf - -T "$0" | tar -C "$1" --keep-directory-symlink -xf -`, list, r.dir)
}

// register tells dpkg in the root which packages are installed.
func (r *debianRoot) register(t *testing.T, packages []string) {
	t.Helper()
	r.write(t, "/var/lib/dpkg/status", output(t, "dpkg-query", append([]string{"--status"}, packages...)...))
	for _, p := range packages {
		for _, list := range []string{p, p + ":" + strings.TrimSpace(output(t, "dpkg", "--print-architecture"))} {
			if text, err := os.ReadFile("/var/lib/dpkg/info/" + list + ".list"); err == nil {
				r.write(t, "/var/lib/dpkg/info/"+list+".list", string(text))
			}
		}
	}
}

// configure does what the scripts of the packages do that the test needs.
func (r *debianRoot) configure(t *testing.T) {
	t.Helper()
	r.write(t, "/etc/passwd", r.read(t, "/usr/share/base-passwd/passwd.master"))
	r.write(t, "/etc/group", r.read(t, "/usr/share/base-passwd/group.master"))
	r.write(t, "/etc/shadow", "root:*:19000:0:99999:7:::\n")
	r.write(t, "/dev/null", "")
	if err := os.Chmod(filepath.Join(r.dir, "dev/null"), 0o666); err != nil {
		t.Fatal(err)
	}
	output(t, "ldconfig", "-r", r.dir)
}

func (r *debianRoot) write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, path), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (r *debianRoot) read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// has reports whether a path exists in the root.
func (r *debianRoot) has(path string) bool {
	_, err := os.Lstat(filepath.Join(r.dir, path))
	return err == nil
}

// run runs a command in the root and returns its output.
func (r *debianRoot) run(t *testing.T, command ...string) string {
	t.Helper()
	cmd := exec.Command("chroot", append([]string{r.dir}, command...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return string(out)
}

// output runs a command on this machine and returns its standard output.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, stderr.String())
	}
	return string(out)
}
