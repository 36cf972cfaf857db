package main

import "flag"

// update rewrites the golden files of testdata with what the tests got: go test -run Help -update .
var update = flag.Bool("update", false, "rewrite golden files")
