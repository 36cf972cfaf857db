package tuning

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

// TestGroupLimit reads limits as container runtimes and service managers set them.
func TestGroupLimit(t *testing.T) {
	const (
		two     = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
		one     = "36 25 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n40 25 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
		none    = "9223372036854771712"
		mb      = 1 << 20
		noLimit = math.MaxInt64
	)
	for _, tc := range []struct {
		name          string
		group, mounts string
		files         map[string]string
		want          int64
	}{
		{"no control groups", "", "", nil, noLimit},
		{"version 2, in a container", "0::/\n", two, map[string]string{"sys/fs/cgroup/memory.max": "419430400\n"}, 400 * mb},
		{"version 2, a service", "0::/system.slice/pando.service\n", two, map[string]string{
			"sys/fs/cgroup/system.slice/memory.max":               "max\n",
			"sys/fs/cgroup/system.slice/pando.service/memory.max": "419430400\n",
		}, 400 * mb},
		{"version 2, the group above is smaller", "0::/pod/one\n", two, map[string]string{
			"sys/fs/cgroup/pod/memory.max":     "104857600\n",
			"sys/fs/cgroup/pod/one/memory.max": "419430400\n",
		}, 100 * mb},
		{"version 2, slowed down before", "0::/one\n", two, map[string]string{
			"sys/fs/cgroup/one/memory.max":  "419430400\n",
			"sys/fs/cgroup/one/memory.high": "314572800\n",
		}, 300 * mb},
		{"version 2 without a limit", "0::/one\n", two, map[string]string{"sys/fs/cgroup/one/memory.max": "max\n"}, noLimit},
		{"version 1", "4:memory:/docker/abc\n3:cpu:/docker/abc\n", one, map[string]string{
			"sys/fs/cgroup/memory/memory.limit_in_bytes":            none,
			"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "419430400\n",
			"sys/fs/cgroup/cpu/docker/abc/memory.limit_in_bytes":    "1\n",
		}, 400 * mb},
		{"version 1, in a container whose part of the groups is mounted", "4:memory:/docker/abc\n",
			"36 25 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "419430400\n"}, 400 * mb},
		{"version 1, another's part is mounted", "4:memory:/elsewhere\n",
			"36 25 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "419430400\n"}, 400 * mb},
		{"version 1, a group above what is mounted is smaller", "4:memory:/\n", one, map[string]string{
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "419430400\n",
			"sys/fs/cgroup/memory/memory.stat":           "cache 1\nhierarchical_memory_limit 104857600\n",
		}, 100 * mb},
		{"version 1 without a limit", "4:memory:/\n", one, map[string]string{
			"sys/fs/cgroup/memory/memory.limit_in_bytes": none,
			"sys/fs/cgroup/memory/memory.stat":           "hierarchical_memory_limit " + none + "\n",
		}, noLimit},
		{"both, version 1 has the memory", "4:memory:/one\n0::/two\n", one + strings.ReplaceAll(two, "/sys/fs/cgroup", "/sys/fs/cgroup/unified"),
			map[string]string{"sys/fs/cgroup/memory/one/memory.limit_in_bytes": "419430400\n"}, 400 * mb},
		{"nonsense", "memory\n::\n0::/one\n", "36 25\n" + two, map[string]string{"sys/fs/cgroup/one/memory.max": "-5\n"}, noLimit},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := fstest.MapFS{
				"proc/self/cgroup":    {Data: []byte(tc.group)},
				"proc/self/mountinfo": {Data: []byte(tc.mounts)},
			}
			for name, text := range tc.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := groupLimit(root); got != tc.want {
				t.Errorf("got %d MB, want %d", got>>20, tc.want>>20)
			}
		})
	}
}

// TestSystemReserve leaves memory to the system, and most of it to the program.
func TestSystemReserve(t *testing.T) {
	for _, tc := range []struct{ group, want int64 }{{64 << 20, 16 << 20}, {400 << 20, 57 << 20}, {16 << 30, 1056 << 20}} {
		if got := systemReserve(tc.group); got != tc.want {
			t.Errorf("of %d MB: got %d MB, want %d", tc.group>>20, got>>20, tc.want>>20)
		}
	}
}
