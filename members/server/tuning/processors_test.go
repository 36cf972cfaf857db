package tuning

import (
	"runtime"
	"testing"
)

func TestProcessors(t *testing.T) {
	t.Cleanup(runtime.SetDefaultGOMAXPROCS)
	check := func(processors, atATime int) {
		t.Helper()
		if n := Processors(); n != processors || runtime.GOMAXPROCS(0) != atATime {
			t.Errorf("%d processors and %d at a time, want %d and %d", n, runtime.GOMAXPROCS(0), processors, atATime)
		}
	}
	t.Setenv("GOMAXPROCS", "")
	runtime.SetDefaultGOMAXPROCS()
	usual := runtime.GOMAXPROCS(0)
	for _, call := range []string{"first", "second"} {
		t.Run(call, func(*testing.T) { check(usual, usual+min(usual, 2)) })
	}
	t.Run("as the environment says", func(t *testing.T) {
		t.Setenv("GOMAXPROCS", "1")
		runtime.GOMAXPROCS(1)
		check(1, 1)
	})
}
