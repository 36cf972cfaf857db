package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pando/members/servertest"
)

// TestRevocation changes the password and the role of a user on three members, while the user reads and writes on all of them with the
// newest password and the one before it. One member after the other pauses meanwhile, so that members lag. A request must not succeed if
// its password was no longer valid, or its user no longer had the role, at the index of the answer.
func TestRevocation(t *testing.T) {
	servertest.SkipShort(t, "members pause in turn, which takes 15 s")
	t.Parallel()
	r := startRevocation(t)
	var all sync.WaitGroup
	defer all.Wait()
	defer r.stop.Store(true)
	for member := range r.members {
		for range 8 {
			all.Go(func() { r.work(member) })
		}
	}
	all.Go(r.pause)
	r.change(t)
	r.stop.Store(true)
	all.Wait()
	r.check(t, r.indexes(t))
}

// revocation is a run of TestRevocation.
type revocation struct {
	members []*servertest.Process
	audits  []string // the file of each member
	start   uint64   // an index before all changes
	stop    atomic.Bool

	mu        sync.Mutex
	passwords []string // of alice, the newest last
	accepted  []accepted
	changes   []rightChange
}

// accepted is a request of alice that succeeded.
type accepted struct {
	operation, password string
	member              int
	index               uint64 // of the write, or of the state that was read
}

// rightChange is a change that root has made, and the right of alice after it.
type rightChange struct {
	member   int
	password string
	granted  bool
}

func startRevocation(t *testing.T) *revocation {
	r := &revocation{passwords: []string{alicePassword}}
	all := servertest.NewMembers(t, "one", "two", "three")
	for i, m := range all {
		r.audits = append(r.audits, filepath.Join(t.TempDir(), "audit"+strconv.Itoa(i)))
		r.members = append(r.members, m.StartPando(t, "--initial-cluster", servertest.InitialCluster(all),
			"--audit-log", r.audits[i], "--max-failed-logins", "0")) // the passwords before the last one fail often
	}
	servertest.AwaitCluster(t, r.members)
	makeUsers(t, r.members[0].Client)
	r.start = indexOf(expectAs(t, http.StatusCreated, asRoot, "PUT", r.members[0].Client+"/v2/keys/app/read", "value=x").body)
	if r.start == 0 {
		t.Fatal("the write has no index")
	}
	return r
}

// indexOf returns the modifiedIndex in the body of a response to a write, or 0.
func indexOf(body string) uint64 {
	var e struct {
		Node struct {
			ModifiedIndex uint64 `json:"modifiedIndex"`
		} `json:"node"`
	}
	_ = json.Unmarshal([]byte(body), &e) // the index is then 0
	return e.Node.ModifiedIndex
}

// work sends requests of alice to a member until the end of the run.
func (r *revocation) work(member int) {
	for i := 0; !r.stop.Load(); i++ {
		r.mu.Lock()
		password := r.passwords[len(r.passwords)-1]
		if i%8 == 7 {
			password = r.passwords[max(0, len(r.passwords)-2)]
		}
		r.mu.Unlock()
		operation := []string{"write", "read", "write", "quorum read"}[i%4]
		if index := r.request(member, operation, password); index != 0 {
			r.mu.Lock()
			r.accepted = append(r.accepted, accepted{operation, password, member, index})
			r.mu.Unlock()
		}
	}
}

// request sends a request of alice and returns the index of the answer, or 0 if it was refused.
func (r *revocation) request(member int, operation, password string) uint64 {
	method, path, body := "GET", "/v2/keys/app/read", ""
	switch operation {
	case "write":
		method, path, body = "PUT", fmt.Sprint("/v2/keys/app/write", member), "value=x"
	case "quorum read":
		path += "?quorum=true"
	}
	request, err := http.NewRequest(method, r.members[member].Client+path, strings.NewReader(body))
	if err != nil {
		return 0
	}
	request.Header.Set("Content-Type", transcriptFormType)
	request.SetBasicAuth("alice", password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		return 0
	}
	if operation == "write" {
		return indexOf(string(text))
	}
	index, _ := strconv.ParseUint(response.Header.Get("X-Etcd-Index"), 10, 64)
	return index
}

// pause stops one member after the other for less than an election timeout.
func (r *revocation) pause() {
	for i := 0; !r.stop.Load(); i++ {
		p := r.members[i%len(r.members)]
		p.Signal(syscall.SIGSTOP)
		<-time.After(rand.N(400 * time.Millisecond)) // the pace of the run; nothing waits for an event
		p.Signal(syscall.SIGCONT)
		<-time.After(rand.N(200 * time.Millisecond)) // the pace of the run; nothing waits for an event
	}
}

// change makes changes as root, each on any member. It ends early if the outcome of a change is unknown.
func (r *revocation) change(t *testing.T) {
	const changes, enough = 40, 5
	right := rightChange{password: alicePassword, granted: true}
	for i := range changes {
		right.member = rand.IntN(len(r.members))
		body := `"grant":["app"]`
		switch {
		case rand.IntN(2) == 0:
			right.password = fmt.Sprint("Meadow-Anchor-", i)
			body = `"password":"` + right.password + `"`
			r.mu.Lock()
			r.passwords = append(r.passwords, right.password)
			r.mu.Unlock()
		case right.granted:
			body, right.granted = `"revoke":["app"]`, false
		default:
			right.granted = true
		}
		got := sendAs(t, asRoot, "PUT", r.members[right.member].Client+"/v2/auth/users/alice", `{"user":"alice",`+body+`}`)
		if got.status != http.StatusOK {
			t.Logf("after %d changes: %d %s", len(r.changes), got.status, got.body)
			break
		}
		r.changes = append(r.changes, right)
		if right.granted {
			<-time.After(rand.N(200 * time.Millisecond)) // the pace of the run; nothing waits for an event
		}
	}
	if len(r.changes) < enough {
		t.Fatalf("only %d changes were made", len(r.changes))
	}
}

// indexes returns the index of each change, from the audit logs of the members.
func (r *revocation) indexes(t *testing.T) []uint64 {
	made := make([]int, len(r.members)) // changes at each member
	for _, c := range r.changes {
		made[c.member]++
	}
	perMember := make([][]uint64, len(r.members))
	servertest.Await(t, "the audit logs to contain all changes", func() bool {
		complete := true
		for i, file := range r.audits {
			perMember[i] = r.readAudit(t, file)
			complete = complete && len(perMember[i]) >= made[i]
		}
		return complete
	})
	var all []uint64
	for _, c := range r.changes {
		all = append(all, perMember[c.member][0])
		perMember[c.member] = perMember[c.member][1:]
	}
	return all
}

// readAudit returns the indexes of the changes of alice in a file.
func (r *revocation) readAudit(t *testing.T, file string) (indexes []uint64) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var record struct {
			Operation, Outcome, Key string
			Index                   uint64
		}
		if json.Unmarshal([]byte(line), &record) != nil { // the last line may be incomplete
			continue
		}
		if record.Operation == "user_put" && record.Outcome == "ok" && record.Key == "alice" && record.Index > r.start {
			indexes = append(indexes, record.Index)
		}
	}
	return indexes
}

// check compares each accepted request with the right of alice at its index.
func (r *revocation) check(t *testing.T, indexes []uint64) {
	counts := map[string]int{}
	for _, a := range r.accepted {
		right := rightChange{password: alicePassword, granted: true}
		after := 0
		for i, index := range indexes {
			if index <= a.index { // no write has the index of a change
				right, after = r.changes[i], i+1
			}
		}
		if after == len(indexes) { // a change with an unknown outcome may have followed
			continue
		}
		counts[a.operation]++
		if right.password != a.password || !right.granted {
			t.Errorf("%s at index %d of member %d with the password %s: alice has %+v since index %d",
				a.operation, a.index, a.member, a.password, right, indexes[max(0, after-1)])
		}
	}
	t.Logf("%d changes, accepted: %v", len(indexes), counts)
	if len(counts) != 3 {
		t.Error("too few requests were accepted")
	}
}
