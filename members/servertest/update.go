package servertest

import "flag"

// Update is set by go test -update: tests that compare with files in testdata write these files instead.
var Update = flag.Bool("update", false, "rewrite the files in testdata with the results of the tests")
