// Pando is a replicated, hierarchical key store that serves the v2 and v3 APIs of etcd. Its packages are explained in
// docs/architecture.md; the command line begins in ctl/program.
package main

import (
	"os"

	"pando/ctl/program"
)

func main() { os.Exit(program.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
