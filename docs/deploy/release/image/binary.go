package main

import (
	"debug/elf"
	"fmt"
)

// machines has the ELF machine of each architecture for which images are made, under Go's name.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// check refuses a program that could not run in the image: one of another architecture, or one that needs shared libraries.
func (p program) check() error {
	want, known := machines[p.platform.Architecture]
	if p.platform.OS != "linux" || !known {
		return fmt.Errorf("%s: images are made for linux/amd64 and linux/arm64 only", p.platform)
	}
	f, err := elf.Open(p.path)
	if err != nil {
		return fmt.Errorf("%s is no program for Linux: %w", p.path, err)
	}
	defer f.Close()
	if f.Machine != want {
		return fmt.Errorf("%s is a program for %s, not for %s", p.path, f.Machine, p.platform)
	}
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_INTERP {
			return fmt.Errorf("%s needs shared libraries, which the image does not have: build it with CGO_ENABLED=0", p.path)
		}
	}
	return nil
}
