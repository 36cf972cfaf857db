package v3_test

import (
	"os"
	"testing"

	"pando/ctl/program"
	"pando/members/servertest"
)

// TestMain can run the whole program, for the servers of the tests. It is in a package of its own because the program imports package v3.
func TestMain(m *testing.M) {
	servertest.Main(m, func() int { return program.Main(os.Args, os.Stdin, os.Stdout, os.Stderr) })
}
