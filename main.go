// Pando is a replicated, hierarchical key store that speaks the etcd v2 HTTP API. Its packages are explained in
// docs/architecture.md; the command line begins in ctl/program.
package main

import (
	"os"

	"pando/ctl/program"
)

func main() { os.Exit(program.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
