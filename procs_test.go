package main

import (
	"runtime"
	"testing"
)

func TestAddProcessor(t *testing.T) {
	t.Cleanup(runtime.SetDefaultGOMAXPROCS)
	t.Setenv("GOMAXPROCS", "")
	runtime.SetDefaultGOMAXPROCS()
	usual := runtime.GOMAXPROCS(0)
	for _, call := range []string{"first", "second"} {
		t.Run(call, func(t *testing.T) {
			if addProcessor(); runtime.GOMAXPROCS(0) != usual+1 {
				t.Errorf("%d at a time, want %d", runtime.GOMAXPROCS(0), usual+1)
			}
		})
	}
	t.Run("as the environment says", func(t *testing.T) {
		t.Setenv("GOMAXPROCS", "1")
		runtime.GOMAXPROCS(1)
		if addProcessor(); runtime.GOMAXPROCS(0) != 1 {
			t.Errorf("%d at a time, want 1", runtime.GOMAXPROCS(0))
		}
	})
}
