package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// run writes the bill of materials that the arguments ask for.
func run(args []string) error {
	flags := flag.NewFlagSet("sbom", flag.ContinueOnError)
	version := flags.String("version", "", "the version of the program")
	seconds := flags.Int64("date", 0, "the time of the commit, in seconds since 1970")
	output := flags.String("o", "", "the file to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *version == "" || *output == "" || flags.NArg() == 0 {
		return errors.New("-version, -o and at least one OS/ARCHITECTURE=PROGRAM are required")
	}
	var programs []program
	for _, arg := range flags.Args() {
		platform, path, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q: want OS/ARCHITECTURE=PROGRAM, such as linux/amd64=dist/build/linux-amd64/pando", arg)
		}
		p, err := readProgram(platform, path)
		if err != nil {
			return err
		}
		programs = append(programs, p)
	}
	bom, err := newBOM(*version, time.Unix(*seconds, 0).UTC(), programs)
	if err != nil {
		return err
	}
	file, err := os.Create(*output)
	if err != nil {
		return err
	}
	defer file.Close()
	encoder := cyclonedx.NewBOMEncoder(file, cyclonedx.BOMFileFormatJSON).SetPretty(true)
	if err := encoder.EncodeVersion(bom, cyclonedx.SpecVersion1_6); err != nil {
		return err
	}
	return file.Close()
}
