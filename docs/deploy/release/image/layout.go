package main

import (
	"archive/tar"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// imageName is the name of the image, without the version.
const imageName = "pando"

// names are the annotations from which the programs that load the file take the name of the image: skopeo and podman from the first,
// Docker and containerd from the second, which must be a full name.
func (r release) names() map[string]string {
	return map[string]string{
		"org.opencontainers.image.ref.name": imageName + ":" + r.version,
		"io.containerd.image.name":          "docker.io/library/" + imageName + ":" + r.version,
	}
}

// writeLayout writes an index as an OCI image layout in a tar file. It replaces the file at the end, so that an error leaves the old
// one.
func writeLayout(file string, index v1.ImageIndex, r release) error {
	dir, err := os.MkdirTemp("", "image")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := path.AppendIndex(index, layout.WithAnnotations(r.names())); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), ".image")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	defer temporary.Close()
	if err := writeTar(temporary, dir, r); err != nil {
		return err
	}
	if err := temporary.Chmod(0o644); err != nil {
		return err
	}
	if err := temporary.Close(); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), file)
}

// writeTar writes the files of a directory in the order of their names.
func writeTar(file *os.File, dir string, r release) error {
	w := tar.NewWriter(file)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return w.WriteHeader(&tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: r.date})
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, ModTime: r.date, Size: int64(len(content))}); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}
