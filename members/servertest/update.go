package servertest

import "flag"

// Update is the flag -update of go test. If it is set, tests that compare results with files in testdata write the files
// instead.
var Update = flag.Bool("update", false, "rewrite the files in testdata with the results of the tests")
