package tuning

import (
	"bufio"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// groupLimit returns the memory limit that the control groups set for this process, in
// bytes, or math.MaxInt64 if there is none. It reads the limit of each group from that of the
// process up to the mounted root, because any of them may have the smallest limit.
func groupLimit(root fs.FS) int64 {
	groups := ownGroups(root)
	limit := int64(math.MaxInt64)
	for _, m := range groupMounts(root) {
		group, known := groups[m.controller]
		if !known {
			continue
		}
		below, inside := strings.CutPrefix(group, strings.TrimSuffix(m.root, "/"))
		if !inside { // the group of the process is not below the mounted one: read only the mounted one
			below = ""
		}
		for at := path.Join(m.point, below); ; at = path.Dir(at) {
			for _, name := range m.limits() {
				limit = min(limit, readLimit(root, path.Join(at, name)))
			}
			if at == m.point || at == "." {
				break
			}
		}
		if m.controller == memoryController {
			limit = min(limit, hierarchicalLimit(root, path.Join(m.point, below, "memory.stat")))
		}
	}
	return limit
}

// memoryController names the control groups of version 1 that limit memory. Those of
// version 2 have no name.
const memoryController = "memory"

// ownGroups returns the group of this process for each controller.
func ownGroups(root fs.FS) map[string]string {
	groups := map[string]string{}
	eachLine(root, "proc/self/cgroup", func(line string) {
		// 4:memory:/the/group, and 0::/the/group for version 2
		fields := strings.SplitN(line, ":", 3)
		if len(fields) < 3 {
			return
		}
		for controller := range strings.SplitSeq(fields[1], ",") {
			groups[controller] = fields[2]
		}
	})
	return groups
}

// groupMount is a mount point of control groups.
type groupMount struct {
	controller string // empty for version 2
	root       string // the group at the top
	point      string // without the slash in front
}

// limits returns the names of the files that hold the limits of a group.
func (m groupMount) limits() []string {
	if m.controller == memoryController {
		return []string{"memory.limit_in_bytes"}
	}
	// The kernel slows down a group that uses more than memory.high.
	return []string{"memory.max", "memory.high"}
}

func groupMounts(root fs.FS) []groupMount {
	var mounts []groupMount
	eachLine(root, "proc/self/mountinfo", func(line string) {
		// 36 35 98:0 ROOT POINT OPTIONS ... - TYPE SOURCE OPTIONS
		mount, kind, _ := strings.Cut(line, " - ")
		from, how := strings.Fields(mount), strings.Fields(kind)
		if len(from) < 5 || len(how) < 3 {
			return
		}
		m := groupMount{root: from[3], point: strings.TrimPrefix(from[4], "/")}
		switch how[0] {
		case "cgroup2":
			mounts = append(mounts, m)
		case "cgroup":
			for option := range strings.SplitSeq(how[2], ",") {
				if option == memoryController {
					m.controller = option
					mounts = append(mounts, m)
				}
			}
		}
	})
	return mounts
}

// hierarchicalLimit returns the smallest limit of a version 1 group and all groups above it,
// including those above the mounted root.
func hierarchicalLimit(root fs.FS, file string) int64 {
	limit := int64(math.MaxInt64)
	eachLine(root, file, func(line string) {
		if number, found := strings.CutPrefix(line, "hierarchical_memory_limit "); found {
			limit = parseLimit(number)
		}
	})
	return limit
}

func readLimit(root fs.FS, file string) int64 {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return math.MaxInt64
	}
	return parseLimit(strings.TrimSpace(string(text)))
}

// unlimited is more memory than any machine has. Version 1 writes a number above it for "no
// limit".
const unlimited = 1 << 60

func parseLimit(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n >= unlimited { // "max"
		return math.MaxInt64
	}
	return n
}

func eachLine(root fs.FS, file string, take func(line string)) {
	f, err := root.Open(file)
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		take(lines.Text())
	}
}
