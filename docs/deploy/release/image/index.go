package main

import (
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// labels describe the image, under the names of the OCI image specification.
func (r release) labels() map[string]string {
	const prefix = "org.opencontainers.image."
	labels := map[string]string{
		prefix + "title":       "pando",
		prefix + "description": "A replicated, hierarchical key store with the v2 and v3 APIs of etcd",
		prefix + "licenses":    "Apache-2.0",
		prefix + "version":     r.version,
		prefix + "created":     r.date.Format(time.RFC3339),
	}
	if r.revision != "" {
		labels[prefix+"revision"] = r.revision
	}
	return labels
}

// config returns how a container starts. It sets no listening address and no data directory, because a variable would win over the
// configuration file of a user: without settings, a server has its data in default.pando below the working directory, which is the
// volume.
func (r release) config() v1.Config {
	return v1.Config{
		Entrypoint:   []string{"pando"},
		User:         fmt.Sprintf("%d:%d", uid, uid),
		Env:          []string{"PATH=/usr/local/bin:/usr/bin"},
		WorkingDir:   dataDir,
		Volumes:      map[string]struct{}{dataDir: {}},
		ExposedPorts: map[string]struct{}{"2379/tcp": {}, "2380/tcp": {}},
		StopSignal:   "SIGTERM",
		Labels:       r.labels(),
	}
}

// image makes the image of one architecture.
func (r release) image(p program, base v1.Layer) (v1.Image, error) {
	entries, err := programEntries(p)
	if err != nil {
		return nil, err
	}
	top, err := layer(entries, r.date)
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: r.date}
	configuration := &v1.ConfigFile{
		OS: p.platform.OS, Architecture: p.platform.Architecture, Variant: p.platform.Variant, Created: created, Config: r.config(),
		RootFS: v1.RootFS{Type: "layers"},
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.ConfigFile(image, configuration); err != nil {
		return nil, err
	}
	addendum := func(l v1.Layer, content string) mutate.Addendum {
		return mutate.Addendum{Layer: l, MediaType: types.OCILayer, History: v1.History{Created: created, CreatedBy: content}}
	}
	image, err = mutate.Append(image, addendum(base, "CA certificates, users, directories"), addendum(top, "pando "+r.version))
	if err != nil {
		return nil, err
	}
	return mutate.Annotations(image, r.labels()).(v1.Image), nil
}

// index makes the images of all architectures, and the index from which a client picks that of its machine.
func (r release) index() (v1.ImageIndex, error) {
	entries, err := r.baseEntries()
	if err != nil {
		return nil, err
	}
	base, err := layer(entries, r.date)
	if err != nil {
		return nil, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range r.programs {
		image, err := r.image(p, base)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{MediaType: types.OCIManifestSchema1, Platform: &p.platform},
		})
	}
	return mutate.Annotations(index, r.labels()).(v1.ImageIndex), nil
}
