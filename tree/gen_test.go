package tree

import (
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"pando/tree/users"
)

// genNames are the names in generated paths. They are few, so that many commands have the
// same path. Some names contain bytes that sort before the slash.
var genNames = []string{"a", "b", "a-b", "a.b", "a0", "_h"}

var genValues = []string{"", "1", "2", "<é>\u2028", strings.Repeat("long", 50)}

// genPath draws a path, in most cases that of an existing node.
func genPath(t *rapid.T, m *model) string {
	if m != nil && rapid.IntRange(0, 9).Draw(t, "known") < 6 {
		paths := m.below("/")
		if len(paths) > 0 {
			return rapid.SampledFrom(paths).Draw(t, "path")
		}
	}
	names := rapid.SliceOfN(rapid.SampledFrom(genNames), 0, 4).Draw(t, "names")
	return "/" + strings.Join(names, "/")
}

// genCommand draws a command, valid or not, for the state of m.
func genCommand(t *rapid.T, m *model, now int64) Command {
	switch rapid.IntRange(0, 7).Draw(t, "command") {
	case 0:
		return Command{Op: OpUsers, Change: genChange(t), AuthRevision: genAuthRevision(t, m)}
	case 1:
		return Command{Op: OpTxn, Txn: genTxn(t, m, now), AuthRevision: genAuthRevision(t, m)}
	}
	c := genKeyCommand(t, m, now)
	c.AuthRevision = genAuthRevision(t, m)
	return c
}

// genKeyCommand draws a command on a key, or an OpExpire.
func genKeyCommand(t *rapid.T, m *model, now int64) Command {
	flag := func(label string) bool { return rapid.IntRange(0, 3).Draw(t, label) == 0 }
	c := Command{
		Op:        Op(rapid.IntRange(1, int(OpExpire)).Draw(t, "op")),
		Path:      genPath(t, m),
		Value:     rapid.SampledFrom(genValues).Draw(t, "value"),
		Dir:       flag("dir"),
		Recursive: flag("recursive"),
		Refresh:   flag("refresh"),
		FileOnly:  flag("fileOnly"),
	}
	if flag("ttl") {
		c.Expires = now + rapid.Int64Range(-2, 20).Draw(t, "left")*second
	}
	if c.Op == OpCompareAndSwap || c.Op == OpCompareAndDelete {
		c.PrevValue = rapid.SampledFrom(genValues).Draw(t, "prevValue")
		c.PrevIndex = genPrevIndex(t, m, c.Path)
	}
	return c
}

// genChange draws a change of users that often succeeds.
func genChange(t *rapid.T) *users.Change {
	c := &users.Change{Op: users.Op(rapid.IntRange(int(users.PutUser), int(users.Disable)).Draw(t, "change"))}
	switch c.Op {
	case users.PutUser, users.DeleteUser:
		c.Name = rapid.SampledFrom([]string{users.Root, "u"}).Draw(t, "user")
		if c.Op == users.PutUser {
			c.PasswordHash = rapid.SampledFrom([]string{"", "h1", "h2"}).Draw(t, "hash")
		}
	case users.PutRole, users.DeleteRole:
		c.Name = rapid.SampledFrom([]string{users.Guest, "r"}).Draw(t, "role")
		if c.Op == users.PutRole && rapid.Bool().Draw(t, "grant") {
			c.GrantPermissions.Read = []users.Range{users.ParsePattern("/a*")}
		}
	}
	return c
}

// genAuthRevision draws the revision for which a command was authorized: in most cases the
// one with which the command is executed.
func genAuthRevision(t *rapid.T, m *model) uint64 {
	switch rapid.IntRange(0, 9).Draw(t, "authorized") {
	case 0:
		return 0
	case 1:
		return m.users.Revision() + 1
	}
	if m.users.Enabled() {
		return m.users.Revision()
	}
	return 0
}

func genPrevIndex(t *rapid.T, m *model, path string) uint64 {
	n, known := m.nodes[path]
	switch rapid.IntRange(0, 2).Draw(t, "prevIndex") {
	case 0:
		return 0
	case 1:
		if known {
			return n.modified
		}
	}
	return rapid.Uint64Range(1, 50).Draw(t, "index")
}

// genNow draws the time of the next batch. Sometimes it is earlier than the last one.
func genNow(t *rapid.T, now int64) int64 {
	return now + rapid.SampledFrom([]int64{0, 1, second, second, 3 * second, 10 * second, -second}).Draw(t, "passes")
}

// genBatch draws the commands of one batch, at most most. It applies each command to a copy
// of m, so that later commands can have the paths of nodes that earlier ones have made.
func genBatch(t *rapid.T, m *model, now int64, most int) []Command {
	ahead := m.clone()
	commands := make([]Command, rapid.IntRange(0, most).Draw(t, "commands"))
	for i := range commands {
		commands[i] = genCommand(t, ahead, now)
		_, _ = ahead.do(now, commands[i])
	}
	return commands
}

func (m *model) clone() *model {
	c := newModel(int(m.size))
	c.users, c.writes = m.users, m.writes
	c.index, c.expired, c.events, c.numbers = m.index, m.expired, slices.Clip(m.events), m.numbers.clone()
	for path, n := range m.nodes {
		c.nodes[path] = n
	}
	maps.Copy(c.shadowed, m.shadowed)
	maps.Copy(c.plain, m.plain)
	maps.Copy(c.implied, m.implied)
	return c
}
