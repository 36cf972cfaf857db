package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// release is what identifies an image, and what it is made of.
type release struct {
	version  string
	revision string    // the commit; may be empty
	date     time.Time // of every file and of the image
	license  string    // path of the text of the license
	programs []program
}

// program is the built program for one architecture.
type program struct {
	platform v1.Platform
	path     string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run builds the image that the arguments describe, and prints its digest.
func run(args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	version := flags.String("version", "", "the version of the program, and the tag of the image")
	revision := flags.String("revision", "", "the commit from which it was built")
	seconds := flags.Int64("date", 0, "the time of the commit, in seconds since 1970")
	license := flags.String("license", "", "the file with the text of the license")
	output := flags.String("o", "", "the tar file to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *version == "" || *license == "" || *output == "" || flags.NArg() == 0 {
		return errors.New("-version, -license, -o and at least one OS/ARCHITECTURE=PROGRAM are required")
	}
	r := release{version: *version, revision: *revision, date: time.Unix(*seconds, 0).UTC(), license: *license}
	for _, arg := range flags.Args() {
		p, err := parseProgram(arg)
		if err != nil {
			return err
		}
		r.programs = append(r.programs, p)
	}
	index, err := r.index()
	if err != nil {
		return err
	}
	if err := writeLayout(*output, index, r); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Println(digest)
	return nil
}

// parseProgram reads an argument such as linux/amd64=dist/pando, and checks the program.
func parseProgram(arg string) (program, error) {
	name, path, ok := strings.Cut(arg, "=")
	if !ok {
		return program{}, fmt.Errorf("%q: want OS/ARCHITECTURE=PROGRAM, such as linux/amd64=dist/build/linux-amd64/pando", arg)
	}
	platform, err := v1.ParsePlatform(name)
	if err != nil {
		return program{}, fmt.Errorf("%s: %w", arg, err)
	}
	p := program{platform: *platform, path: path}
	return p, p.check()
}
