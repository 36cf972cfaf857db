package raft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/storage"
	"pando/tree"
	"pando/tree/users"
)

// changeUsers proposes a change of users with the revision of this member's users.
func (r *replica) changeUsers(c *users.Change) (*tree.Event, error) {
	r.c.t.Helper()
	return r.proposeAuthorized(&tree.Command{Op: tree.OpUsers, Change: c})
}

// proposeAuthorized proposes a command with the revision of this member's users. It repeats the proposal while the users change before
// the command is applied.
func (r *replica) proposeAuthorized(c *tree.Command) (*tree.Event, error) {
	r.c.t.Helper()
	for {
		state := r.node().Tree().View().Users()
		if c.AuthRevision = 0; state.Enabled() {
			c.AuthRevision = state.Revision()
		}
		event, err := r.node().Propose(context.Background(), c)
		if codeOf(err) != tree.CodeAuthChanged {
			return event, err
		}
	}
}

// mustChangeUsers makes changes of users that must succeed. It repeats a change whose outcome is unknown. If the change is refused then,
// it was made before.
func (r *replica) mustChangeUsers(changes ...*users.Change) {
	r.c.t.Helper()
	for _, c := range changes {
		_, err := r.changeUsers(c)
		if outcomeUnknown(err) {
			r.c.await("the outcome of a change of users", func() bool {
				_, err = r.changeUsers(c)
				return !outcomeUnknown(err)
			})
			if codeOf(err) != tree.CodeRaftInternal {
				err = nil
			}
		}
		if err != nil {
			r.c.t.Fatalf("member %d: %+v: %v; %s", r.id, c, err, r.c.describe())
		}
	}
}

func putUser(name, hash string) *users.Change {
	return &users.Change{Op: users.PutUser, Name: name, PasswordHash: hash}
}

// newAuthCluster starts a cluster at the level of this program, and enables auth.
func newAuthCluster(t *testing.T, tune func(*Config)) *cluster {
	c := newCluster(t, 3, func(cfg *Config) {
		cfg.pinnedLevel = nil
		if tune != nil {
			tune(cfg)
		}
	})
	c.awaitLevel(storage.FeatureLevel)
	c.members[0].mustChangeUsers(putUser(users.Root, "root's hash"), putUser("ann", "hash 1"), &users.Change{Op: users.Enable})
	return c
}

// checkUser checks the stored hash of a user.
func checkUser(t *testing.T, s *users.State, name, hash string) {
	t.Helper()
	if u := s.User(name); u == nil || u.PasswordHash != hash || !s.Enabled() {
		t.Errorf("user %s is %+v, want the hash %q; enabled: %v", name, u, hash, s.Enabled())
	}
}

// checkUsersOn checks a user on all running members.
func (c *cluster) checkUsersOn(t *testing.T, name, hash string) {
	t.Helper()
	c.settle()
	for _, r := range c.running() {
		checkUser(t, r.node().Tree().View().Users(), name, hash)
	}
}

// TestUsersAreReplicated changes users on one member. They must be the same on all members, after crashes and snapshots.
func TestUsersAreReplicated(t *testing.T) {
	t.Parallel()
	c := newAuthCluster(t, smallLog)
	c.checkUsersOn(t, "ann", "hash 1")

	t.Run("a command with an outdated revision", func(t *testing.T) {
		old := c.members[1].node().Tree().View().Users().Revision()
		c.members[2].mustChangeUsers(putUser("ann", "hash 2"))
		before := c.members[2].node().Tree().View().Index() // the leader may apply the change later than the member that proposed it
		for _, revision := range []uint64{old, 0, old + 9} {
			_, err := c.members[1].propose(&tree.Command{Op: tree.OpSet, Path: "/a", AuthRevision: revision})
			if e, ok := errors.AsType[*tree.Error](err); !ok || e.Code != tree.CodeAuthChanged || e.Index != before {
				t.Errorf("revision %d: %v", revision, err)
			}
		}
		c.await("a command with the present revision", func() bool {
			_, err := c.members[1].proposeAuthorized(&tree.Command{Op: tree.OpSet, Path: "/a"})
			if err != nil && !outcomeUnknown(err) {
				t.Error(err)
			}
			return !outcomeUnknown(err)
		})
		c.checkUsersOn(t, "ann", "hash 2")
	})
	t.Run("all members are killed", func(t *testing.T) {
		c.members[1].mustChangeUsers(putUser("ann", "hash 3"))
		c.killAll()
		for _, r := range c.members {
			r.restart()
		}
		c.awaitServing(c.members...)
		c.checkUsersOn(t, "ann", "hash 3")
	})
	t.Run("a member that was stopped gets a snapshot", func(t *testing.T) {
		lagging := c.follower()
		at := lagging.node().Status().Applied
		lagging.kill()
		lead := c.leader(c.others(lagging)...)
		lead.mustChangeUsers(putUser("ann", "hash 4"), &users.Change{Op: users.DeleteRole, Name: users.Guest})
		i := 0
		c.await("the log to be compacted", func() bool {
			for range 50 {
				_, err := lead.proposeAuthorized(&tree.Command{Op: tree.OpSet, Path: fmt.Sprintf("/outrun/%d", i%20)})
				if err != nil && !outcomeUnknown(err) {
					t.Error(err)
				}
				i++
			}
			return lead.begins() > at+1
		})
		lagging.restart()
		c.awaitServing(lagging)
		c.checkUsersOn(t, "ann", "hash 4")
		if lagging.node().Tree().View().Users().Role(users.Guest) != nil {
			t.Error("the deleted role exists")
		}
	})
}

// TestUsersInNewClusters starts a new cluster from the data of a member, in each way in which operators can do it.
func TestUsersInNewClusters(t *testing.T) {
	t.Parallel()
	c := newAuthCluster(t, nil)
	source := c.members[1]
	source.mustChangeUsers(putUser("ann", "hash 2"))
	c.settle()
	founder := members.Member{ID: 1, Name: "restored", PeerURLs: []string{"http://127.0.0.1:1"}}

	t.Run("a snapshot", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "snapshot")
		source.saveSnapshot(t, file)
		registry := members.NewRegistry(c.id)
		if err := registry.Add(founder); err != nil {
			t.Fatal(err)
		}
		founding := storage.Founding{
			Identity: storage.Identity{ClusterID: uint64(c.id), MemberID: 1}, Voters: []uint64{1}, Members: registry.Marshal(),
		}
		to := storage.Options{DataDir: filepath.Join(t.TempDir(), "data"), HistorySize: testHistory}
		if err := storage.Restore(to, file, founding); err != nil {
			t.Fatal(err)
		}
		checkStartsWithUser(t, to.DataDir, "ann", "hash 2")
	})
	t.Run("a backup of the running member", func(t *testing.T) {
		from := storage.Options{DataDir: source.dir, HistorySize: testHistory}
		to := storage.Options{DataDir: filepath.Join(t.TempDir(), "data"), HistorySize: testHistory}
		_, err := storage.Backup(t.Context(), from, to, func(r *storage.Recovered) (storage.Founding, error) {
			return Detach(r, c.id, founder)
		})
		if err != nil {
			t.Fatal(err)
		}
		checkStartsWithUser(t, to.DataDir, "ann", "hash 2")
	})
	t.Run("a new cluster by force", func(t *testing.T) {
		c.killAll()
		source.force(t)
		source.checkAlone(t)
		checkUser(t, source.node().Tree().View().Users(), "ann", "hash 2")
		source.mustChangeUsers(putUser("ann", "hash 3"))
	})
}

// saveSnapshot writes the state of a member to a file.
func (r *replica) saveSnapshot(t *testing.T, path string) {
	t.Helper()
	content, _, err := r.node().OpenSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	data, err := io.ReadAll(content)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// checkStartsWithUser starts a member of its own cluster, checks a user, and changes it.
func checkStartsWithUser(t *testing.T, dir, name, hash string) {
	t.Helper()
	m := newTestMember(t)
	m.dir, m.cfg.pinnedLevel = dir, nil
	n := m.start()
	state := n.Tree().View().Users()
	checkUser(t, state, name, hash)
	if got := n.FeatureLevel(); got < tree.UsersLevel {
		t.Errorf("the cluster is at feature level %d", got)
	}
	change := tree.Command{Op: tree.OpUsers, AuthRevision: state.Revision(), Change: &users.Change{Op: users.Disable}}
	if _, err := n.Propose(t.Context(), &change); err != nil {
		t.Error(err)
	}
}

// TestUsersNeedTheLevel checks that nothing about users enters the log while a member of an older version runs.
func TestUsersNeedTheLevel(t *testing.T) {
	t.Parallel()
	commands := map[string]tree.Command{
		"a change of users":       {Op: tree.OpUsers, Change: putUser("ann", "hash")},
		"a command with revision": {Op: tree.OpSet, Path: "/a", AuthRevision: 1},
	}
	c := newCluster(t, 3, older("m3"))
	for name, command := range commands {
		for _, r := range c.members {
			_, err := r.node().Propose(t.Context(), &command)
			if err == nil || !strings.Contains(err.Error(), "not all members have been upgraded") {
				t.Errorf("%s on member %d: %v", name, r.id, err)
			}
		}
	}
	for name, command := range commands {
		batch := tree.AppendCommand(appendBatchHead(nil, 1, 1, 1), &command)
		entry := &raftpb.Entry{Type: raftpb.EntryNormal.Enum(), Data: batch}
		for level, ok := range []bool{false, false, true} {
			if err := checkEntry(entry, uint64(level)); (err == nil) != ok || err != nil && !errors.Is(err, errEntry) {
				t.Errorf("%s, forwarded at level %d: %v", name, level, err)
			}
			if err := checkBatchLevel([]tree.Command{{Op: tree.OpExpire}, command}, uint64(level)); (err == nil) != ok {
				t.Errorf("%s, applied at level %d: %v", name, level, err)
			}
		}
	}
	c.members[2].upgrade()
	c.awaitLevel(storage.FeatureLevel)
	c.members[2].mustChangeUsers(putUser("ann", "hash"))
	c.settle()
}

// TestAuditComparesUsers changes the users of one member without the log. The audit must report that member.
func TestAuditComparesUsers(t *testing.T) {
	t.Parallel()
	c, recorderOf := newAuditedCluster(t, 3)
	c.awaitLevel(storage.FeatureLevel)
	c.leader().mustChangeUsers(putUser("ann", "hash"))
	c.settle()
	bad := c.follower()
	done := make(chan struct{})
	bad.node().inbox.post(func(c *core) {
		c.tree.Apply(1, []tree.Command{{Op: tree.OpUsers, Change: putUser("ann", "another hash")}})
		c.tree.Announce()
		close(done)
	})
	<-done
	c.await("the report to name the member", func() bool {
		report, _ := recorderOf(c.leader()).last()
		return slices.ContainsFunc(report.Differences, func(d Difference) bool {
			return d.State && slices.Equal(d.Members, []members.ID{bad.id}) && strings.Contains(d.describe(), "users")
		})
	})
}
