package main

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	runTests(m, func() int { return programMain(os.Args, os.Stdin, os.Stdout, os.Stderr) })
}
