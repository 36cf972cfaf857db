package conformance

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"pando/members/servertest"
)

// referenceV3 is an etcd whose v3 API Pando is compared with.
type referenceV3 struct {
	etcd string
	// strict says that it is etcd 3.7, which checks more and has AuthStatus.
	strict bool
}

// etcd37 is the directory of the programs of etcd 3.7; empty if there is none. TestMain removes the variable from the environment.
var etcd37 = os.Getenv("PANDO_ETCD37")

// eachReferenceV3 runs a test with the installed etcd, and with etcd 3.7 if PANDO_ETCD37 names the directory of its programs.
func eachReferenceV3(t *testing.T, test func(*testing.T, referenceV3)) {
	servertest.SkipShort(t, "it starts two servers and runs many requests against both")
	t.Run("3.4", func(t *testing.T) {
		t.Parallel()
		test(t, referenceV3{etcd: servertest.RequireEtcd(t)})
	})
	t.Run("3.7", func(t *testing.T) {
		t.Parallel()
		if etcd37 == "" {
			t.Skip("PANDO_ETCD37 does not name a directory with the programs of etcd 3.7")
		}
		test(t, referenceV3{etcd: filepath.Join(etcd37, "etcd"), strict: true})
	})
}

// start starts the reference and Pando, each with one member. It returns their client URLs.
func (r referenceV3) start(t *testing.T) (reference, pando string) {
	t.Helper()
	all := servertest.NewMembers(t, "etcd", "pando")
	flags := func(m servertest.Member, more ...string) []string {
		return append([]string{"--initial-cluster", servertest.InitialCluster([]servertest.Member{m})}, more...)
	}
	all[0].StartCommand(t, exec.Command(r.etcd, all[0].Flags(flags(all[0], "--bcrypt-cost", "4")...)...))
	all[1].StartPando(t, flags(all[1], "--max-failed-logins", "0")...).AwaitServing()
	return all[0].ClientURL(), all[1].ClientURL()
}

// authSide is one of two servers that get the same calls.
type authSide struct {
	t      *testing.T
	client pb.AuthClient
	tokens map[string]string // by user
}

// newAuthSide connects to a server and waits until it serves.
func newAuthSide(t *testing.T, url string) *authSide {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+servertest.URLHost(url), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the test has ended
	side := &authSide{t, pb.NewAuthClient(conn), map[string]string{}}
	servertest.Await(t, "the server to change users", func() bool {
		_, err := side.client.AuthDisable(t.Context(), &pb.AuthDisableRequest{})
		return err == nil
	})
	return side
}

// authAnswer is the result of a call in a form that can be compared.
type authAnswer struct {
	code         codes.Code
	text, result string
}

// answerOf returns the answer of a call. etcd reports a login of a user without a password as an unknown error; Pando does not.
func answerOf(result string, err error) authAnswer {
	s := status.Convert(err)
	if strings.Contains(s.Message(), "password was given for no password user") {
		s = status.Convert(rpctypes.ErrGRPCAuthFailed)
	}
	if err != nil {
		result = ""
	}
	return authAnswer{s.Code(), s.Message(), result}
}

// context returns the context of the calls of a user; "" is for no token, badToken for a wrong one.
func (s *authSide) context(user string) context.Context {
	token, ok := s.tokens[user]
	switch {
	case user == badToken:
		token = badToken
	case !ok:
		return s.t.Context()
	}
	return metadata.AppendToOutgoingContext(s.t.Context(), rpctypes.TokenFieldNameGRPC, token)
}

// badToken is the name of the user whose token is wrong.
const badToken = "bad.1"

// login gets a token for a user.
func (s *authSide) login(user, password string) authAnswer {
	r, err := s.client.Authenticate(s.t.Context(), &pb.AuthenticateRequest{Name: user, Password: password})
	if err == nil {
		s.tokens[user] = r.Token
	}
	return answerOf("", err)
}

// TestAuthV3Differential sends random calls of the service Auth to Pando and to etcd, and compares codes, texts and results.
func TestAuthV3Differential(t *testing.T) {
	t.Parallel()
	eachReferenceV3(t, func(t *testing.T, r referenceV3) {
		reference, pando := r.start(t)
		run := &authRun{
			t: t, strict: r.strict, random: rand.New(rand.NewPCG(21, uint64(len(t.Name())))), passwords: map[string]string{},
			sides: []*authSide{newAuthSide(t, reference), newAuthSide(t, pando)},
		}
		for range 4 {
			run.play(40)
			run.enable()
			run.play(60)
			run.disable()
		}
		t.Logf("%d calls, %d of them refused", run.calls, run.refused)
		if run.refused*10 < run.calls || run.refused*10 > 9*run.calls {
			t.Error("the calls are too one-sided to prove anything")
		}
	})
}

// authRun is a sequence of calls to both sides, with what the generator must know.
type authRun struct {
	t              *testing.T
	strict         bool
	random         *rand.Rand
	sides          []*authSide
	enabled        bool
	passwords      map[string]string // of the users
	log            []string          // the last calls, for the report
	calls, refused int
}

// compare executes a call on both sides, and fails the test if the answers differ. It returns the answer.
func (r *authRun) compare(text string, call func(*authSide) authAnswer) authAnswer {
	r.t.Helper()
	want, got := call(r.sides[0]), call(r.sides[1])
	r.calls++
	if want.code != codes.OK {
		r.refused++
	}
	r.log = append(r.log, text)
	if got != want {
		r.t.Fatalf("%s\nPando answers %+v\netcd answers  %+v\nafter\n%s", text, got, want,
			strings.Join(r.log[max(0, len(r.log)-40):], "\n"))
	}
	return got
}

// play executes random calls.
func (r *authRun) play(calls int) {
	r.t.Helper()
	for range calls {
		user := r.sender()
		if _, known := r.passwords[user]; known && r.sides[0].tokens[user] == "" {
			r.login(user, r.passwords[user])
		}
		c := r.draw()
		answer := r.compare(user+": "+c.text, func(s *authSide) authAnswer { return answerOf(c.do(s.context(user), s.client)) })
		switch {
		case answer.code == codes.OK && c.done != nil:
			c.done()
		case answer.code == codes.Unauthenticated:
			r.forget(user)
		}
	}
}

// sender draws the sender of a call. Without auth it has no token: etcd 3.4 refuses tokens then.
func (r *authRun) sender() string {
	switch n := r.random.IntN(10); {
	case !r.enabled, n == 0:
		return ""
	case n == 1:
		return badToken
	case n < 4:
		return pick(r, authNames)
	}
	return "root"
}

func (r *authRun) login(user, password string) {
	r.t.Helper()
	r.compare("login of "+user+" with "+password, func(s *authSide) authAnswer { return s.login(user, password) })
}

// forget drops the tokens of a user.
func (r *authRun) forget(user string) {
	for _, s := range r.sides {
		delete(s.tokens, user)
	}
}

// asRoot executes a call of root on both sides.
func (r *authRun) asRoot(c authCall) {
	r.t.Helper()
	if r.enabled && r.sides[0].tokens["root"] == "" {
		r.login("root", r.passwords["root"])
	}
	answer := r.compare("root: "+c.text, func(s *authSide) authAnswer { return answerOf(c.do(s.context("root"), s.client)) })
	if answer.code == codes.OK && c.done != nil {
		c.done()
	}
}

// enable makes a user root that can log in, and enables auth.
func (r *authRun) enable() {
	r.t.Helper()
	r.asRoot(r.userDelete("root"))
	r.asRoot(r.userAdd("root", "p1", false))
	r.asRoot(r.authEnable())
	r.asRoot(roleAdd("root"))
	r.asRoot(userGrantRole("root", "root"))
	r.asRoot(r.authEnable())
	r.asRoot(r.authEnable())
}

// disable disables auth.
func (r *authRun) disable() {
	r.t.Helper()
	r.forget("root")
	r.asRoot(r.authDisable())
	if r.enabled {
		r.t.Fatal("root can't disable auth")
	}
}
