// Command package makes the .deb and .rpm packages of Pando, and the files that packages and archives have beside the program: man
// pages, shell completions, an example of the configuration file, the changelog.
//
//	go run ./docs/deploy/package files DIR          write these files to DIR/man, DIR/completion and DIR
//	go run ./docs/deploy/package build DIST deb rpm write packages for every architecture to DIST
//
// The command runs in the root of the repository. "build" needs the programs DIST/build/linux-ARCH/pando, which `make deb rpm` builds
// first. ARCHITECTURES in the environment replaces "amd64 arm64". The same commit gives the same bytes: docs/deploy/build.sh names the
// version, and the time that every file gets.
//
// nfpm writes the packages, as nfpm.yaml describes them. It is in a Go module of its own, because it requires a hundred modules that the
// program does not need: nfpm/go.mod pins its version, and `go tool` builds it.
//
// The files:
//   - main.go: the command line
//   - stage.go: the directory from which nfpm takes the files of a package
//   - manual.go: man pages from the output of --help; roff.go writes their language; helptext.go reads the output
//   - example.go: the example of the configuration file, from the same output
//   - nfpm.yaml: the content of the packages
//   - deb, rpm: the scripts that run at installation and removal, and the texts for Debian alone
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// architectures returns those for which packages are made, by their names in Go and in Debian.
func architectures() []string {
	if list := os.Getenv("ARCHITECTURES"); list != "" {
		return strings.Fields(list)
	}
	return []string{"amd64", "arm64"}
}

// source is the directory of this command in the repository.
const source = "docs/deploy/package"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "package: "+err.Error())
		os.Exit(1)
	}
}

func run(args []string) error {
	const usage = "usage: package files DIR, or package build DIST FORMAT... with the formats deb and rpm"
	if len(args) < 2 {
		return errors.New(usage)
	}
	r, err := readRelease()
	if err != nil {
		return err
	}
	switch dir := args[1]; args[0] {
	case "files":
		return r.writeFiles(dir)
	case "build":
		for _, arch := range architectures() {
			for _, format := range args[2:] {
				file, err := r.build(dir, arch, format)
				if err != nil {
					return err
				}
				fmt.Println(file)
			}
		}
		return nil
	}
	return errors.New(usage)
}

// release is what packages of one commit have in common.
type release struct {
	version string    // as pando --version prints it
	time    time.Time // of each file
}

// readRelease asks docs/deploy/build.sh for the version and the time.
func readRelease() (*release, error) {
	version, err := exec.Command("docs/deploy/build.sh", "version").Output()
	if err != nil {
		return nil, fmt.Errorf("docs/deploy/build.sh version: %w", explain(err))
	}
	date, err := exec.Command("docs/deploy/build.sh", "date").Output()
	if err != nil {
		return nil, fmt.Errorf("docs/deploy/build.sh date: %w", explain(err))
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(date)), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("SOURCE_DATE_EPOCH must be a number of seconds: %w", err)
	}
	return &release{version: strings.TrimSpace(string(version)), time: time.Unix(seconds, 0).UTC()}, nil
}

// build makes one package in dir from dir/build/linux-ARCH/pando, and returns its path.
func (r *release) build(dir, arch, format string) (string, error) {
	if !slices.Contains([]string{"deb", "rpm"}, format) {
		return "", fmt.Errorf("%s is not a format of packages; use deb or rpm", format)
	}
	stage := filepath.Join(dir, "build", format+"-"+arch)
	if err := r.stage(stage, filepath.Join(dir, "build", "linux-"+arch, "pando")); err != nil {
		return "", err
	}
	nfpm, err := buildNfpm()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(nfpm, "package", "--config", filepath.Join(source, "nfpm.yaml"),
		"--packager", format, "--target", dir)
	cmd.Env = append(os.Environ(), "ARCH="+arch, "VERSION="+r.version, "STAGE="+stage,
		"SOURCE_DATE_EPOCH="+strconv.FormatInt(r.time.Unix(), 10))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("nfpm: %w\n%s", err, out)
	}
	_, file, found := strings.Cut(string(out), "created package: ")
	if !found {
		return "", fmt.Errorf("nfpm does not say which file it made:\n%s", out)
	}
	return strings.TrimSpace(file), nil
}

// buildNfpm builds nfpm and returns the path of the program.
var buildNfpm = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "tool", "-n", "nfpm")
	cmd.Dir = filepath.Join(source, "nfpm")
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("nfpm cannot be built: %w", explain(err))
	}
	return strings.TrimSpace(string(path)), nil
})

// explain adds to the error of a command what the command wrote to its standard error.
func explain(err error) error {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(e.Stderr)))
	}
	return err
}
