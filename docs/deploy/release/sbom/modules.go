package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// program is a built program, and what the linker recorded in it.
type program struct {
	platform string // such as linux/amd64
	sha256   string // in hexadecimal digits
	info     *buildinfo.BuildInfo
}

// readProgram reads the program for a platform.
func readProgram(platform, path string) (program, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return program{}, err
	}
	info, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		return program{}, fmt.Errorf("%s is no Go program: %w", path, err)
	}
	sum := sha256.Sum256(content)
	return program{platform: platform, sha256: hex.EncodeToString(sum[:]), info: info}, nil
}

// dependency is a module that is in at least one of the programs.
type dependency struct {
	path, version string
	sum           string    // as in go.sum
	licenses      []license // at least one
}

// license is the text of one file.
type license struct{ file, text string }

// dependencies returns the modules of all programs, sorted by their paths.
func dependencies(programs []program) ([]dependency, error) {
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOMODCACHE: %w", err)
	}
	all := map[module.Version]dependency{}
	for _, p := range programs {
		for _, m := range p.info.Deps {
			if m.Replace != nil {
				return nil, fmt.Errorf("%s is replaced in go.mod; a release must be built from released modules", m.Path)
			}
			key := module.Version{Path: m.Path, Version: m.Version}
			if _, known := all[key]; known {
				continue
			}
			licenses, err := readLicenses(strings.TrimSpace(string(cache)), key)
			if err != nil {
				return nil, err
			}
			all[key] = dependency{m.Path, m.Version, m.Sum, licenses}
		}
	}
	var list []dependency
	for _, d := range all {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b dependency) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.version, b.version))
	})
	return list, nil
}

// licenseFile matches the names of files that hold a license or the notice that goes with it.
var licenseFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// readLicenses reads the license of a module from the module cache.
func readLicenses(cache string, m module.Version) ([]license, error) {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return nil, err
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return nil, err
	}
	return licensesIn(filepath.Join(cache, path+"@"+version), m.String())
}

// licensesIn reads the files of licenses in a directory.
func licensesIn(dir, name string) ([]license, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%s is not in the module cache: %w", name, err)
	}
	var found []license
	for _, e := range entries {
		if e.IsDir() || !licenseFile.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		found = append(found, license{e.Name(), string(text)})
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no file with a license in %s", name, dir)
	}
	return found, nil
}
