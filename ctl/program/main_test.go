package program

import (
	"os"
	"testing"

	"pando/members/servertest"
)

func TestMain(m *testing.M) {
	servertest.Main(m, func() int { return Main(os.Args, os.Stdin, os.Stdout, os.Stderr) })
}
