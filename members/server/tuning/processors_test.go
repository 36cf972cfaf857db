package tuning

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
)

// withProcessors runs a test with 1, 2 and 4 processors of Go's.
func withProcessors(t *testing.T, run func(t *testing.T, processors int)) {
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d processors", n), func(t *testing.T) {
			runtime.GOMAXPROCS(n)
			run(t, n)
		})
	}
}

func TestProcessors(t *testing.T) {
	t.Cleanup(runtime.SetDefaultGOMAXPROCS)
	check := func(t *testing.T, processors, maxProcs int) {
		t.Helper()
		if n := Processors(nil); n != processors || runtime.GOMAXPROCS(0) != maxProcs {
			t.Errorf("%d processors and GOMAXPROCS %d, want %d and %d", n, runtime.GOMAXPROCS(0), processors, maxProcs)
		}
	}
	t.Setenv("GOMAXPROCS", "")
	runtime.SetDefaultGOMAXPROCS()
	usual := runtime.GOMAXPROCS(0)
	for _, call := range []string{"first", "second"} {
		t.Run(call, func(t *testing.T) { check(t, usual, usual+min(usual, 2)) })
	}
	t.Run("GOMAXPROCS is set", func(t *testing.T) {
		t.Setenv("GOMAXPROCS", "1")
		runtime.GOMAXPROCS(1)
		check(t, 1, 1)
	})
}

// TestExtraProcessors counts the processors that the settings add, and lets goroutines
// write to a file with as many.
func TestExtraProcessors(t *testing.T) {
	for _, tc := range []struct {
		name     string
		disabled Disabled
		want     map[int]int // by the number of processors
	}{
		{"all settings", nil, map[int]int{1: 1, 2: 2, 4: 2}},
		{"without processors", Disabled{ProcessorsSetting}, map[int]int{1: 0, 2: 1, 4: 1}},
		{"without sysmon", Disabled{SysmonSetting}, map[int]int{1: 1, 2: 1, 4: 1}},
		{"none", Settings(), map[int]int{1: 0, 2: 0, 4: 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			withProcessors(t, func(t *testing.T, processors int) {
				extra := extraProcessors(processors, tc.disabled)
				if extra != tc.want[processors] {
					t.Errorf("%d more, want %d", extra, tc.want[processors])
				}
				runtime.GOMAXPROCS(processors + extra)
				syncTogether(t)
			})
		})
	}
}

// syncTogether has several goroutines write and sync a file each.
func syncTogether(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			f, err := os.Create(fmt.Sprintf("%s/%d", dir, i))
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			for range 5 {
				if _, err := f.WriteString("record"); err != nil {
					t.Error(err)
				}
				if err := f.Sync(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
}
