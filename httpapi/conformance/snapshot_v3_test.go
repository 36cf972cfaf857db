package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"pando/members/servertest"
)

// restorer is a version of etcd that restores a snapshot.
type restorer struct {
	version       string
	etcd, restore string // the server, and the program with "snapshot restore"
}

// TestSnapshotForEtcd restores a snapshot of Pando, with keys of both APIs, in etcd, and compares what the two servers answer.
func TestSnapshotForEtcd(t *testing.T) {
	servertest.SkipShort(t, "it starts a server of Pando and one of each version of etcd")
	t.Parallel()
	all := []restorer{{"3.4", servertest.RequireEtcd(t), servertest.RequireProgram(t, "etcdctl", "etcd-client")}}
	if etcd37 != "" {
		all = append(all, restorer{"3.7", filepath.Join(etcd37, "etcd"), filepath.Join(etcd37, "etcdutl")})
	}
	m := servertest.NewMembers(t, "pando")[0]
	flags := []string{"--initial-cluster", servertest.InitialCluster([]servertest.Member{m}), "--password-hash", "bcrypt"}
	m.StartPando(t, flags...).AwaitServing()
	pando := dialBackend(t, m.Client)
	compacted := fillBackend(t, pando, m.ClientURL())
	pando.login(t)
	file := filepath.Join(t.TempDir(), "snapshot")
	pando.save(t, file)
	for _, r := range all {
		t.Run(r.version, func(t *testing.T) {
			etcd := r.start(t, file)
			etcd.login(t)
			compareBackends(t, r, pando, etcd, compacted)
		})
	}
	if left, _ := filepath.Glob(filepath.Join(m.DataDir, "*outgoing*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// start restores the file and starts an etcd with its data.
func (r restorer) start(t *testing.T, file string) *backendSide {
	t.Helper()
	m := servertest.NewMembers(t, "default")[0]
	cluster := servertest.InitialCluster([]servertest.Member{m})
	cmd := exec.Command(r.restore, "snapshot", "restore", file, "--data-dir", m.DataDir, "--name", m.Name,
		"--initial-cluster", cluster, "--initial-advertise-peer-urls", m.PeerURL())
	cmd.Env = append(servertest.Environment(), "ETCDCTL_API=3")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m.StartCommand(t, exec.Command(r.etcd, m.Flags("--initial-cluster", cluster)...))
	return dialBackend(t, m.Client)
}

// backendSide is a server whose content is compared. Only one goroutine may use it.
type backendSide struct {
	conn  *grpc.ClientConn
	kv    pb.KVClient
	auth  pb.AuthClient
	state pb.MaintenanceClient
	token string
}

func dialBackend(t *testing.T, addr string) *backendSide {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &backendSide{conn: conn, kv: pb.NewKVClient(conn), auth: pb.NewAuthClient(conn), state: pb.NewMaintenanceClient(conn)}
}

// loginAs returns the context of requests of a user.
func (s *backendSide) loginAs(t *testing.T, name, password string) context.Context {
	t.Helper()
	var token string
	servertest.Await(t, name+" to log in", func() bool { // etcd has no leader at first
		r, err := s.auth.Authenticate(t.Context(), &pb.AuthenticateRequest{Name: name, Password: password}, grpc.WaitForReady(true))
		token = r.GetToken()
		return err == nil
	})
	return metadata.AppendToOutgoingContext(t.Context(), "token", token)
}

func (s *backendSide) login(t *testing.T) {
	t.Helper()
	md, _ := metadata.FromOutgoingContext(s.loginAs(t, "root", "rootpw"))
	s.token = md.Get("token")[0]
}

// ctx returns the context of requests of root.
func (s *backendSide) ctx(t *testing.T) context.Context {
	return metadata.AppendToOutgoingContext(t.Context(), "token", s.token)
}

// fillBackend makes keys, a history, leases and users. It returns the compact revision.
func fillBackend(t *testing.T, s *backendSide, at string) (compacted int64) {
	t.Helper()
	put := func(key, value string, lease int64) proto.Message {
		return &pb.PutRequest{Key: []byte(key), Value: []byte(value), Lease: lease}
	}
	setV2(t, at, http.MethodPut, "/old/a", "value=1")
	setV2(t, at, http.MethodPut, "/old/dir/b", "value=2")
	s.must(t,
		put("plain", "1", 0), put("/app", "shadowed", 0), put("/app/color", "green", 0), put("/app-b", "\x00\xff", 0),
		&pb.LeaseGrantRequest{ID: 77, TTL: 5000}, &pb.LeaseGrantRequest{ID: 78, TTL: 6000}, put("/leased", "1", 77), put("gone", "1", 0),
		put("plain", "2", 0), &pb.DeleteRangeRequest{Key: []byte("gone")},
	)
	r, err := s.kv.Range(t.Context(), &pb.RangeRequest{Key: []byte("plain")})
	if err != nil {
		t.Fatal(err)
	}
	compacted = r.Header.Revision
	s.must(t, &pb.CompactionRequest{Revision: compacted}, put("plain", "3", 78), put("/d/x", "1", 0), put("/d/y", "2", 77), &pb.TxnRequest{
		Success: []*pb.RequestOp{
			{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("t1"), Value: []byte("a")}}},
			{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("/app-b")}}},
			{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("t2")}}},
		},
	})
	setV2(t, at, http.MethodDelete, "/d?recursive=true", "")
	setV2(t, at, http.MethodPut, "/new", "value=3")
	s.must(t, put("last", "1", 0),
		&pb.AuthRoleAddRequest{Name: "r"}, &pb.AuthUserAddRequest{Name: "joe", Password: "joepw"},
		&pb.AuthUserGrantRoleRequest{User: "joe", Role: "r"},
		&pb.AuthRoleGrantPermissionRequest{Name: "r", Perm: permission(authpb.READWRITE, "/app", "/app0")},
		&pb.AuthRoleGrantPermissionRequest{Name: "r", Perm: permission(authpb.READ, "q", "\x00")},
		&pb.AuthRoleGrantPermissionRequest{Name: "r", Perm: permission(authpb.WRITE, "w", "")},
		&pb.AuthUserAddRequest{Name: "ann", Options: &authpb.UserAddOptions{NoPassword: true}},
		&pb.AuthUserAddRequest{Name: "root", Password: "rootpw"},
		&pb.AuthRoleAddRequest{Name: "root"}, &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"}, &pb.AuthEnableRequest{},
	)
	return compacted
}

func permission(access authpb.Permission_Type, key, end string) *authpb.Permission {
	p := &authpb.Permission{PermType: access, Key: []byte(key)}
	if end != "" {
		p.RangeEnd = []byte(end)
	}
	return p
}

// backendMethods are the services of the requests, by the name of the method.
var backendMethods = map[string]string{
	"Range": "KV", "Put": "KV", "DeleteRange": "KV", "Txn": "KV", "Compaction": "KV/Compact",
	"LeaseGrant": "Lease", "LeaseLeases": "Lease", "LeaseTimeToLive": "Lease",
	"HashKV": "Maintenance", "Hash": "Maintenance", "Defragment": "Maintenance",
}

// call sends a request. The name of its type follows from that of the method.
func (s *backendSide) call(ctx context.Context, request proto.Message) (proto.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, kvTimeout)
	defer cancel()
	name := strings.TrimSuffix(string(request.ProtoReflect().Descriptor().Name()), "Request")
	reply, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName("etcdserverpb." + name + "Response"))
	if err != nil {
		return nil, err
	}
	service, method, found := strings.Cut(backendMethods[name], "/")
	if !found {
		method = strings.TrimPrefix(name, "Auth")
	}
	if service == "" {
		service = "Auth"
	}
	if name == "AuthEnable" || name == "AuthStatus" {
		method = name
	}
	m := reply.New().Interface()
	return m, s.conn.Invoke(ctx, "/etcdserverpb."+service+"/"+method, request, m)
}

// must sends requests that succeed.
func (s *backendSide) must(t *testing.T, requests ...proto.Message) {
	t.Helper()
	for _, r := range requests {
		if _, err := s.call(t.Context(), r); err != nil {
			t.Fatalf("%T %v: %v", r, r, err)
		}
	}
}

// setV2 sends a change by the v2 API.
func setV2(t *testing.T, at, method, path, form string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, at+"/v2/keys"+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode >= 300 {
		t.Fatalf("%s %s: %s", method, path, answer.Status)
	}
}

// save saves a snapshot, and checks what the server sends.
func (s *backendSide) save(t *testing.T, path string) {
	t.Helper()
	stream, err := s.state.Snapshot(s.ctx(t), &pb.SnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	for remaining := uint64(1); ; {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if remaining = r.RemainingBytes; remaining == 0 && len(r.Blob) != sha256.Size && len(r.Blob)%512 != 0 {
			t.Errorf("the last part has %d bytes", len(r.Blob))
		}
		data = append(data, r.Blob...)
	}
	content := data[:len(data)-sha256.Size]
	if sum := sha256.Sum256(content); !bytes.Equal(sum[:], data[len(content):]) || len(content)%512 != 0 {
		t.Errorf("%d bytes do not end with their checksum", len(data))
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// compareBackends compares the responses of two servers with the same content.
func compareBackends(t *testing.T, r restorer, pando, etcd *backendSide, compacted int64) {
	every := &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}
	at := func(revision int64) *pb.RangeRequest {
		return &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: revision}
	}
	requests := []proto.Message{
		every, at(compacted), at(compacted + 2), at(compacted + 4), at(compacted + 6), at(compacted - 1),
		&pb.HashKVRequest{}, &pb.HashKVRequest{Revision: compacted + 3}, &pb.HashKVRequest{Revision: 1},
		&pb.LeaseLeasesRequest{}, &pb.LeaseTimeToLiveRequest{ID: 77, Keys: true}, &pb.LeaseTimeToLiveRequest{ID: 78, Keys: true},
		&pb.AuthUserListRequest{}, &pb.AuthUserGetRequest{Name: "joe"}, &pb.AuthUserGetRequest{Name: "ann"}, &pb.AuthUserGetRequest{Name: "root"},
		&pb.AuthRoleListRequest{}, &pb.AuthRoleGetRequest{Role: "r"},
	}
	if r.version != "3.4" { // which refuses a HashKV at the compact revision
		requests = append(requests, &pb.AuthStatusRequest{}, &pb.HashKVRequest{Revision: compacted})
	}
	for _, request := range requests {
		compareCalls(t, r, pando.ctx(t), etcd.ctx(t), pando, etcd, request)
	}
	joeAtPando, joeAtEtcd := pando.loginAs(t, "joe", "joepw"), etcd.loginAs(t, "joe", "joepw")
	refused := []proto.Message{&pb.HashKVRequest{}, &pb.HashRequest{}, &pb.DefragmentRequest{}}
	if r.version == "3.4" { // which sends another error for them
		refused = nil
	}
	for _, request := range append(refused, &pb.RangeRequest{Key: []byte("/app"), RangeEnd: []byte("/app0")}, every) {
		compareCalls(t, r, joeAtPando, joeAtEtcd, pando, etcd, request)
	}
	for _, request := range refused {
		compareCalls(t, r, t.Context(), t.Context(), pando, etcd, request)
	}
	stream, err := pando.state.Snapshot(joeAtPando, &pb.SnapshotRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("a snapshot for joe: %v", err)
	}
	if _, err := pando.state.Defragment(pando.ctx(t), &pb.DefragmentRequest{}); err != nil {
		t.Error(err)
	}
}

// compareCalls sends a request to both servers and compares the responses.
func compareCalls(t *testing.T, r restorer, toPando, toEtcd context.Context, pando, etcd *backendSide, request proto.Message) {
	t.Helper()
	got, gotErr := pando.call(toPando, request)
	want, wantErr := etcd.call(toEtcd, request)
	if status.Code(gotErr) != status.Code(wantErr) || status.Convert(gotErr).Message() != status.Convert(wantErr).Message() {
		t.Errorf("%T %v: got %v, want %v", request, request, gotErr, wantErr)
	}
	if gotErr != nil || wantErr != nil {
		return
	}
	normalKV(request, got)
	normalKV(request, want)
	if h, ok := want.(*pb.HashKVResponse); ok && r.version == "3.4" {
		h.HashRevision = got.(*pb.HashKVResponse).HashRevision // which etcd does not send
	}
	if !proto.Equal(got, want) {
		t.Errorf("%T %v:\ngot  %s\nwant %s", request, request, prototext.Format(got), prototext.Format(want))
	}
}
