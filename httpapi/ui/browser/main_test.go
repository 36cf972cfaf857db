package browser

import (
	"os"
	"testing"

	"pando/ctl/program"
	"pando/members/servertest"
)

func TestMain(m *testing.M) {
	enterNamespace()
	startLoopback()
	servertest.Main(m, func() int { return program.Main(os.Args, os.Stdin, os.Stdout, os.Stderr) }, closeChromium)
}
