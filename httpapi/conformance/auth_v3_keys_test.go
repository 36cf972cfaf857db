package conformance

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"pando/members/servertest"
)

var (
	authKVRounds = flag.Int("authkv.rounds", 4, "how often the rights of the users change in the differential test of rights to keys")
	authKVSeed   = flag.Uint64("authkv.seed", 1, "seed of the differential test of rights to keys")
)

// TestAuthV3Keys sends the random requests of TestDifferentialKV as users whose rights change, and compares what Pando and etcd permit,
// refuse and answer.
func TestAuthV3Keys(t *testing.T) {
	t.Parallel()
	eachReferenceV3(t, func(t *testing.T, r referenceV3) {
		version, program := "3.4", r.etcd
		if r.strict {
			version, program = "3.7", filepath.Join(etcd37, "etcd")
		}
		run := &authKVRun{
			t: t, pair: newKVPair(t, version, program, "--bcrypt-cost", "4"), gen: newKVGenerator(version, *authKVSeed),
			answers: map[codes.Code]int{},
		}
		for _, s := range []*kvSide{run.pair.etcd, run.pair.pando} {
			run.sides = append(run.sides, &authSide{t, pb.NewAuthClient(s.conn), map[string]string{}})
		}
		run.enable()
		for range *authKVRounds {
			run.changeRights()
			for range 100 {
				run.request()
			}
		}
		var rules kvRuleCounts
		rules.add(run.pair.fired)
		t.Logf("%d requests of users compared: %v; rules %s", *authKVRounds*100, run.answers, rules.String())
		if run.answers[codes.PermissionDenied] == 0 || run.answers[codes.OK] == 0 {
			t.Error("the requests are too one-sided to prove anything")
		}
	})
}

// authKVRun is a pair of servers with auth. Only the goroutine of the test may use it.
type authKVRun struct {
	t       *testing.T
	pair    *kvPair
	sides   []*authSide // of etcd and of Pando
	gen     *kvGenerator
	rights  []string           // of the users, for the report
	answers map[codes.Code]int // by code
}

// authKVUsers have a role of the same name each.
var authKVUsers = []string{"ann", "bob", "eve"}

// authKVRanges are what the rights are about: single keys, prefixes, ranges to the end, all keys.
var authKVRanges = [][2]string{
	{"foo", ""}, {"foo", "fop"}, {"/a", ""}, {"/a/", "/a0"}, {"/a/b", "/a/c"}, {"/", "0"}, {"\xff", "\x00"}, {"\x00", "\x00"},
}

// both executes a call of a user on both sides. It must have the same outcome.
func (r *authKVRun) both(user string, c authCall) {
	r.t.Helper()
	want, got := "", ""
	for i, s := range r.sides {
		_, err := c.do(s.context(user), s.client)
		if got = status.Convert(err).Message(); i == 0 {
			want = got
		}
	}
	if got != want {
		r.t.Fatalf("%s: Pando says %q, and etcd %q", c.text, got, want)
	}
}

// enable makes the users and enables auth. Each user gets a token on both sides.
func (r *authKVRun) enable() {
	r.t.Helper()
	users := (&authRun{passwords: map[string]string{}})
	for _, user := range append([]string{"root"}, authKVUsers...) {
		r.both("", users.userAdd(user, "p", false))
		r.both("", roleAdd(user))
		r.both("", userGrantRole(user, user))
	}
	r.both("", users.authEnable())
}

// changeRights gives each role other permissions, and each user a new token.
func (r *authKVRun) changeRights() {
	r.t.Helper()
	r.login("root")
	r.rights = nil
	for _, role := range authKVUsers {
		for _, keys := range authKVRanges {
			r.both("root", roleRevokePermission(role, keys)) // which is refused alike if there is none
		}
		for range 1 + r.gen.IntN(3) {
			keys, kind := oneOf(r.gen, authKVRanges...), authpb.Permission_Type(r.gen.IntN(3))
			if keys == [2]string{"foo", "fop"} { // etcd keeps two permissions that begin with the same key
				keys = [2]string{"foo1", "fop"}
			}
			r.both("root", roleGrantPermission(role, kind, keys))
			r.rights = append(r.rights, fmt.Sprintf("%s %v %q", role, kind, keys))
		}
		r.both("root", roleRevokePermission(role, [2]string{"foo1", "fop"}))
		r.login(role)
	}
}

func (r *authKVRun) login(user string) {
	r.t.Helper()
	for _, s := range r.sides {
		delete(s.tokens, user)
		if answer := s.login(user, "p"); answer.code != codes.OK {
			r.t.Fatalf("login of %s: %v", user, answer)
		}
	}
}

// request sends a random request of a random user to both sides.
func (r *authKVRun) request() {
	r.t.Helper()
	user := oneOf(r.gen, append([]string{"root", "root", "", badToken}, authKVUsers...)...)
	request := r.gen.request()
	if isInverted(request.ProtoReflect()) {
		user = "root"
	}
	switch request := request.(type) {
	case *pb.WatchCancelRequest:
		return
	case *pb.TxnRequest:
		// etcd asks for no user if there is no operation, and 3.4 for no right to read what a put replaces, or to a nested transaction.
		text := request.String()
		unchecked := strings.Contains(text, "prev_kv") || strings.Contains(text, "request_txn")
		if text == "" || r.pair.version == "3.4" && unchecked {
			user = "root"
		}
	case *pb.CompactionRequest, *pb.LeaseTimeToLiveRequest, *pb.LeaseLeasesRequest, *pb.LeaseKeepAliveRequest, *pb.LeaseGrantRequest:
		if r.pair.version == "3.4" { // it serves them without a look at the user
			user = "root"
		}
	case *pb.WatchCreateRequest:
		if r.pair.version == "3.4" && string(request.RangeEnd) == "\x00" { // it looks at the right to the first key alone
			user = "root"
		}
	case *pb.LeaseRevokeRequest:
		if r.pair.version == "3.4" && (user == "" || user == badToken) { // it serves them if the lease has no keys
			user = "root"
		}
	}
	want, got := r.sides[0].context(user), r.sides[1].context(user)
	var err error
	if create, ok := request.(*pb.WatchCreateRequest); ok {
		err = r.watch(want, got, create)
	} else {
		err = r.pair.exchangeAs(want, got, request)
	}
	if err != nil {
		r.t.Fatalf("%s as %q:\n%v\nwith the rights\n%s", kvStep{request}, user, err, strings.Join(r.rights, "\n"))
	}
	if _, ok := request.(*pb.WatchCreateRequest); !ok {
		r.answers[r.pair.code]++
	}
}

// isInverted reports whether a request has a range that ends before it begins, and so has no keys. Whether etcd permits it depends on the
// shape of its tree of permissions; Pando permits it to root.
func isInverted(m protoreflect.Message) (inverted bool) {
	key, end := m.Descriptor().Fields().ByName("key"), m.Descriptor().Fields().ByName("range_end")
	if key != nil && end != nil {
		from, to := m.Get(key).Bytes(), m.Get(end).Bytes()
		inverted = len(to) > 0 && string(to) != "\x00" && bytes.Compare(from, to) > 0
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				inverted = inverted || isInverted(v.List().Get(i).Message())
			}
		default:
			inverted = inverted || isInverted(v.Message())
		}
		return true
	})
	return inverted
}

// watch creates a watch of all keys and one more on streams of their own, and compares the responses.
func (r *authKVRun) watch(etcd, pando context.Context, create *pb.WatchCreateRequest) error {
	var opened []*kvWatches
	for i, s := range []*kvSide{r.pair.etcd, r.pair.pando} {
		ctx, cancel := context.WithCancel([]context.Context{etcd, pando}[i])
		defer cancel()
		w, err := openKVWatches(ctx, s.conn)
		if err == nil {
			err = w.create(s.fill(create).(*pb.WatchCreateRequest))
		}
		if err != nil {
			return err
		}
		opened = append(opened, w)
	}
	var err error
	servertest.Poll(kvSettle, 5*time.Millisecond, func() bool {
		err = differentLines(opened[0].snapshot(), opened[1].snapshot(), r.pair.omitted)
		return err == nil
	})
	return err
}
