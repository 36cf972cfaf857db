package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// writeFiles writes to dir what packages and archives have beside the program: man/*.1, completion/, pando.yml.
func (r *release) writeFiles(dir string) error {
	pages, err := r.manual()
	if err != nil {
		return err
	}
	files := map[string]string{"pando.yml": configurationExample()}
	for name, page := range pages {
		files["man/"+name+".1"] = page
	}
	for _, program := range []struct{ name, client string }{{"pando", "pando ctl"}, {"pandoctl", "pandoctl"}} {
		for shell, file := range map[string]string{
			"bash": "bash/" + program.name, "zsh": "zsh/_" + program.name, "fish": "fish/" + program.name + ".fish",
		} {
			if files["completion/"+file], err = completion(program.client, shell); err != nil {
				return err
			}
		}
	}
	for name, content := range files {
		if err := r.write(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// stage makes a directory with all files of a package. nfpm takes their times over, so each has the time of the release.
func (r *release) stage(dir, pando string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := r.writeFiles(dir); err != nil {
		return err
	}
	if err := r.compressManual(filepath.Join(dir, "man")); err != nil {
		return err
	}
	changelog, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return err
	}
	if err := r.writeCompressed(filepath.Join(dir, "CHANGELOG.md.gz"), changelog); err != nil {
		return err
	}
	if err := r.writeCompressed(filepath.Join(dir, "changelog.gz"), []byte(r.debianChangelog())); err != nil {
		return err
	}
	copies := map[string]string{
		pando:                                     "pando",
		"README.md":                               "doc/README.md",
		"docs/deploy/pando.conf":                  "default",
		"docs/deploy/pando.service":               "pando.service",
		filepath.Join(source, "README.Debian"):    "README.Debian",
		filepath.Join(source, "deb", "copyright"): "copyright",
		filepath.Join(source, "deb", "lintian-overrides"): "lintian-overrides",
		"LICENSE": "LICENSE",
	}
	for _, pattern := range []string{"docs/*.md", "docs/monitoring/alerts.yml", "docs/monitoring/grafana.json", "docs/openapi/openapi.json"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, file := range found {
			copies[file] = "doc/" + file
		}
	}
	for from, to := range copies {
		if err := r.copy(from, filepath.Join(dir, to)); err != nil {
			return fmt.Errorf("a file of the package is missing; make deb rpm builds the program first: %w", err)
		}
	}
	return r.setTimes(dir)
}

// setTimes gives all files and directories the time of the release.
func (r *release) setTimes(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, r.time, r.time)
	})
}

// debianChangelog returns the changelog in Debian's form. It has one entry, that of the release; CHANGELOG.md has all.
func (r *release) debianChangelog() string {
	return fmt.Sprintf("pando (%s) stable; urgency=medium\n\n  * See /usr/share/doc/pando/CHANGELOG.md.gz.\n\n -- %s  %s\n",
		debianVersion(r.version), maintainer, r.time.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
}

// maintainer is the same as in nfpm.yaml.
const maintainer = "The maintainers of Pando <maintainers@pando.invalid>"

// debianVersion returns the version as Debian orders it: 1.2.3~rc.1 is before 1.2.3.
func debianVersion(version string) string { return strings.Replace(version, "-", "~", 1) }

// compressManual replaces the pages in dir by compressed ones.
func (r *release) compressManual(dir string) error {
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err == nil {
			err = r.writeCompressed(page+".gz", text)
		}
		if err == nil {
			err = os.Remove(page)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeCompressed writes a gzip file that has no name and no time in it.
func (r *release) writeCompressed(file string, content []byte) error {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return r.write(file, b.Bytes(), 0o644)
}

func (r *release) copy(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	return r.write(to, content, info.Mode().Perm())
}

// write writes a file with the time of the release, and makes its directory.
func (r *release) write(file string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, content, mode); err != nil {
		return err
	}
	return os.Chtimes(file, r.time, r.time)
}
