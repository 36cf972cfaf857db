package docs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pando/members/servertest"
)

// What the test release is called. The names must not be those of the checkout.
const (
	releaseVersion  = "1.2.3-rc.1"
	releaseRevision = "0123456789abcdef0123456789abcdef01234567"
	releaseDate     = "1764495000"
)

// release is a directory with the files of a release.
type release struct {
	t    *testing.T
	dist string
}

// run runs a script below docs/deploy in a checkout, with the names of the test release.
func (r release) run(checkout, platforms, script string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command(filepath.Join(checkout, "docs", "deploy", script), args...)
	cmd.Env = append(os.Environ(), "DIST="+r.dist, "PLATFORMS="+platforms,
		"VERSION="+releaseVersion, "REVISION="+releaseRevision, "SOURCE_DATE_EPOCH="+releaseDate)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s %s: %v\n%s", script, args, err, out)
	}
	return string(out)
}

// file returns the path of a file, and its content.
func (r release) file(name ...string) (string, []byte) {
	r.t.Helper()
	path := filepath.Join(append([]string{r.dist}, name...)...)
	content, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	return path, content
}

// same reports whether two releases have the same bytes in a file.
func (r release) same(other release, name string) bool {
	_, a := r.file(name)
	_, b := other.file(name)
	return bytes.Equal(a, b)
}

// TestRelease makes the files of a release twice, in two directories.
func TestRelease(t *testing.T) {
	servertest.SkipShort(t, "it builds the program")
	t.Parallel()
	const platform = "linux/amd64"
	const built = "build/linux-amd64/pando"
	first, second := release{t, t.TempDir()}, release{t, t.TempDir()}
	first.run(".", platform, "release/release.sh", "binaries")
	program, _ := first.file(built)
	t.Run("the program is the same in another directory", func(t *testing.T) {
		copied := copySource(t)
		second.run(copied, platform, "build.sh", "binary", "linux", "amd64", filepath.Join(second.dist, built))
		if !first.same(second, built) {
			t.Error("the programs differ")
		}
	})
	t.Run("the program has the version of the release", func(t *testing.T) {
		out, err := exec.Command(program, "--version").Output()
		if want := "pando " + releaseVersion + " (commit " + releaseRevision[:12] + ")\n"; err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%v, %s, want %s", err, out, want)
		}
	})
	if t.Failed() {
		return
	}
	for _, r := range []release{first, second} {
		pretendARM(t, r)
		r.run(".", platform, "release/release.sh", "archives", "sbom")
		r.run(".", platform+" linux/arm64", "release/release.sh", "image")
	}
	const name = "pando-" + releaseVersion
	const image, bom, archive = name + "-image.tar", name + ".cdx.json", name + "-linux-amd64.tar.gz"
	t.Run("the other files are the same, too", func(t *testing.T) {
		for _, name := range []string{image, bom, archive} {
			if !first.same(second, name) {
				t.Errorf("%s differs", name)
			}
		}
	})
	t.Run("archive", func(t *testing.T) { checkArchive(t, first, archive) })
	t.Run("bill of materials", func(t *testing.T) { checkBOM(t, first, bom, program) })
	t.Run("checksums", func(t *testing.T) {
		first.run(".", platform, "release/release.sh", "checksums")
		_, sums := first.file("SHA256SUMS")
		check := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
		check.Dir = first.dist
		if out, err := check.CombinedOutput(); err != nil || strings.Count(string(sums), "\n") != 3 {
			t.Errorf("%v\n%s\n%s", err, out, sums)
		}
	})
	t.Run("image", func(t *testing.T) {
		path, _ := first.file(image)
		checkImage(t, path)
	})
}

// copySource copies what a build reads into another directory. It is not a git repository.
func copySource(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	for _, file := range append(append(goFiles(t), embeddedFiles(t)...), "go.mod", "go.sum", "docs/deploy/build.sh") {
		content, err := os.ReadFile(file)
		if err == nil {
			err = os.MkdirAll(filepath.Join(to, filepath.Dir(file)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, file), content, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// embeddedFiles returns the files that the program contains.
func embeddedFiles(t *testing.T) []string {
	t.Helper()
	const format = `{{$dir := .Dir}}{{range .EmbedFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}`
	out, err := exec.Command("go", "list", "-f", format, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	files := strings.Fields(string(out))
	for i, file := range files {
		if files[i], err = filepath.Rel(root, file); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// pretendARM makes a program for arm64 out of the one for amd64, by its header alone: the image must have both, and to build both takes a
// minute.
func pretendARM(t *testing.T, r release) {
	t.Helper()
	_, program := r.file("build/linux-amd64/pando")
	binary.LittleEndian.PutUint16(program[18:], uint16(elf.EM_AARCH64)) // e_machine
	dir := filepath.Join(r.dist, "build", "linux-arm64")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pando"), program, 0o755); err != nil {
		t.Fatal(err)
	}
}

// checkArchive checks the names, owners and times of the files in an archive.
func checkArchive(t *testing.T, r release, name string) {
	_, content := r.file(name)
	unzipped, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	top := strings.TrimSuffix(name, ".tar.gz") + "/"
	var names []string
	for reader := tar.NewReader(unzipped); ; {
		h, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(h.Name, top) || h.Uid != 0 || h.Uname != "" || servertest.Itoa(h.ModTime.Unix()) != releaseDate {
			t.Errorf("%s of %d %q from %v", h.Name, h.Uid, h.Uname, h.ModTime)
		}
		names = append(names, strings.TrimPrefix(h.Name, top))
	}
	for _, want := range []string{
		"pando", "LICENSE", "README.md", "docs/operations.md", "docs/deploy/pando.service", "docs/deploy/kubernetes/pando.yml",
		"man/pando.1", "completion/bash/pando", "pando.yml",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

// checkBOM compares a bill of materials with what the linker recorded in the program.
func checkBOM(t *testing.T, r release, name, program string) {
	_, content := r.file(name)
	var bom struct {
		BOMFormat, SpecVersion string
		Components             []struct {
			Name, Version string
			Licenses      []struct {
				License struct{ Text struct{ Content string } }
			}
		}
	}
	if err := json.Unmarshal(content, &bom); err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"std " + strings.TrimPrefix(info.GoVersion, "go")}
	for _, m := range info.Deps {
		want = append(want, m.Path+" "+m.Version)
	}
	var got []string
	for _, c := range bom.Components {
		got = append(got, c.Name+" "+c.Version)
		if len(c.Licenses) == 0 || len(c.Licenses[0].License.Text.Content) < 500 {
			t.Errorf("%s has no license", c.Name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if bom.BOMFormat != "CycloneDX" || bom.SpecVersion != "1.6" || !slices.Equal(got, want) {
		t.Errorf("%s %s has %q, want %q", bom.BOMFormat, bom.SpecVersion, got, want)
	}
}

// TestReleaseVersion checks which version a build gets.
func TestReleaseVersion(t *testing.T) {
	script := filepath.Join("docs", "deploy", "build.sh")
	for version, ok := range map[string]bool{
		"1.2.3": true, "1.2.3-rc.1": true, "0.4.0": false, "1.0.4": false, "v1.2.3": false, "1 2": false,
	} {
		cmd := exec.Command(script, "version")
		cmd.Env = append(os.Environ(), "VERSION="+version)
		out, err := cmd.Output()
		if got := strings.TrimSpace(string(out)); (err == nil) != ok || ok && got != version {
			t.Errorf("VERSION=%s: %q, %v", version, got, err)
		}
	}
}
