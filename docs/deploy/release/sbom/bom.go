package main

import (
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

// newBOM makes the document. It has no serial number, because the same release must give the same bytes.
func newBOM(version string, date time.Time, programs []program) (*cyclonedx.BOM, error) {
	list, err := dependencies(programs)
	if err != nil {
		return nil, err
	}
	components := []cyclonedx.Component{}
	for _, d := range list {
		components = append(components, library(d))
	}
	standard, err := standardLibrary(programs)
	if err != nil {
		return nil, err
	}
	components = append(components, library(standard))
	references := []string{}
	for _, c := range components {
		references = append(references, c.BOMRef)
	}
	pando := cyclonedx.Component{
		BOMRef: "pando", Type: cyclonedx.ComponentTypeApplication, Name: "pando", Version: version,
		PackageURL: "pkg:golang/pando@v" + version, Components: files(programs),
		Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}},
	}
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Timestamp: date.Format(time.RFC3339), Component: &pando}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: pando.BOMRef, Dependencies: &references}}
	return bom, nil
}

// files returns the program of each platform, with its checksum.
func files(programs []program) *[]cyclonedx.Component {
	all := []cyclonedx.Component{}
	for _, p := range programs {
		all = append(all, cyclonedx.Component{
			BOMRef: "pando " + p.platform, Type: cyclonedx.ComponentTypeFile, Name: "pando for " + p.platform,
			Hashes: &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: p.sha256}},
		})
	}
	return &all
}

// standardLibrary returns the standard library of Go as a dependency. All programs must have been built with one version of Go.
func standardLibrary(programs []program) (dependency, error) {
	version := programs[0].info.GoVersion
	for _, p := range programs {
		if p.info.GoVersion != version {
			return dependency{}, fmt.Errorf("programs of %s and of %s can't be in one release", version, p.info.GoVersion)
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return dependency{}, fmt.Errorf("go env GOROOT: %w", err)
	}
	licenses, err := licensesIn(strings.TrimSpace(string(root)), "the standard library")
	return dependency{path: "std", version: strings.TrimPrefix(version, "go"), licenses: licenses}, err
}

// library describes a module.
func library(d dependency) cyclonedx.Component {
	url := "pkg:golang/" + d.path + "@" + d.version
	c := cyclonedx.Component{
		BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: d.path, Version: d.version, Scope: cyclonedx.ScopeRequired, PackageURL: url,
	}
	if d.sum != "" {
		c.Properties = &[]cyclonedx.Property{{Name: "go.sum", Value: d.sum}}
	}
	licenses := cyclonedx.Licenses{}
	for _, l := range d.licenses {
		text := &cyclonedx.AttachedText{ContentType: "text/plain", Content: l.text}
		licenses = append(licenses, cyclonedx.LicenseChoice{License: &cyclonedx.License{Name: l.file, Text: text}})
	}
	c.Licenses = &licenses
	return c
}
