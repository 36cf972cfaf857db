package servertest

import "flag"

// Update says that golden files are to be rewritten with what the tests got: go test -update.
var Update = flag.Bool("update", false, "rewrite golden files of testdata")
