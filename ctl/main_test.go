package ctl

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"testing"

	"pando/members/servertest"
)

// record records the transcripts again, with the client and the server of the reference.
var record = flag.Bool("record", false, "record testdata/ctl anew with the installed etcdctl and etcd")

// asClientVar makes the test binary run as the client, so that tests can watch a real process.
const asClientVar = "PANDO_TEST_AS_CLIENT"

func TestMain(m *testing.M) {
	if os.Getenv(asClientVar) != "" {
		os.Unsetenv(asClientVar)
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		context.AfterFunc(ctx, stop)
		os.Exit(Main(ctx, append([]string{"etcdctl"}, os.Args[1:]...), os.Stdin, os.Stdout, os.Stderr, Host{}))
	}
	flag.Parse()
	*servertest.Update = *servertest.Update || *record // any version of etcd may be recorded
	code := m.Run()
	buildOnce.remove()
	os.Exit(code)
}
