package httpapi

import (
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// serveKV serves a fixture whose tree counts revisions.
func serveKV(t *testing.T, change func(*MemberConfig)) (*fixture, pb.KVClient) {
	t.Helper()
	f := newFixture(t, change)
	f.log.tree.StartRevisions()
	_, conn := serveGRPC(t, f)
	return f, pb.NewKVClient(conn)
}

// message makes a message of its JSON form. Bytes are in base64.
func message[T proto.Message](t *testing.T, m T, text string) T {
	t.Helper()
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// b64 writes texts in base64.
var b64 = strings.NewReplacer("'a'", `"YQ=="`, "'b'", `"Yg=="`, "'c'", `"Yw=="`, "'/a/b'", `"L2EvYg=="`, "'/a'", `"L2E="`, "'0'", `"AA=="`,
	"'1'", `"MQ=="`, "'2'", `"Mg=="`, "'3'", `"Mw=="`).Replace

func TestKV(t *testing.T) {
	_, kv := serveKV(t, nil)
	ctx := t.Context()
	put := func(text string) (*pb.PutResponse, error) {
		t.Helper()
		return kv.Put(ctx, message(t, &pb.PutRequest{}, b64(text)))
	}
	get := func(text string) (*pb.RangeResponse, error) {
		t.Helper()
		return kv.Range(ctx, message(t, &pb.RangeRequest{}, b64(text)))
	}
	// expect checks a response without its cluster, member and term. first is the revision of the empty tree.
	var first int64
	expect := func(got proto.Message, header *pb.ResponseHeader, err error, revision int64, want proto.Message) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if header.Revision-first != revision || header.ClusterId != 0xc1 || header.MemberId != 1 || header.RaftTerm != 7 {
			t.Errorf("the header is %v, want revision %d after %d", header, revision, first)
		}
		header.Reset()
		if !proto.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	empty, err := get(`{"key":'a'}`)
	if err != nil {
		t.Fatal(err)
	}
	first = empty.Header.Revision
	p, err := put(`{"key":'a',"value":'1',"prevKv":true}`)
	expect(p, p.Header, err, 1, &pb.PutResponse{Header: &pb.ResponseHeader{}})
	p, err = put(`{"key":'a',"value":'2',"prevKv":true}`)
	if err != nil || string(p.PrevKv.Value) != "1" || p.PrevKv.Version != 1 || p.PrevKv.CreateRevision != first+1 {
		t.Errorf("got %v, %v", p, err)
	}
	if _, err = put(`{"key":'/a/b',"value":'1'}`); err != nil {
		t.Error(err)
	}
	if _, err = put(`{"key":'/a',"value":'3'}`); err != nil {
		t.Error(err)
	}
	all, err := get(`{"key":'0',"rangeEnd":'0',"limit":2}`)
	if err != nil || len(all.Kvs) != 2 || all.Count != 3 || !all.More || string(all.Kvs[0].Key) != "/a" || string(all.Kvs[1].Key) != "/a/b" {
		t.Errorf("got %v, %v", all, err)
	}
	keys, err := get(`{"key":'/a',"rangeEnd":'b',"keysOnly":true,"sortOrder":"DESCEND","sortTarget":"MOD"}`)
	if err != nil || len(keys.Kvs) != 3 || string(keys.Kvs[0].Key) != "/a" || keys.Kvs[0].Value != nil || keys.Kvs[2].Version != 2 {
		t.Errorf("got %v, %v", keys, err)
	}
	txn, err := kv.Txn(ctx, message(t, &pb.TxnRequest{}, b64(`{"compare":[{"key":'a',"target":"VALUE","value":'2'}],
		"success":[{"requestPut":{"key":'b',"value":'1'}},{"requestRange":{"key":'b'}},{"requestDeleteRange":{"key":'a',"prevKv":true}},
		{"requestTxn":{"failure":[{"requestPut":{"key":'c'}}]}}]}`)))
	if err != nil {
		t.Fatal(err)
	}
	if !txn.Succeeded || len(txn.Responses) != 4 || string(txn.Responses[1].GetResponseRange().Kvs[0].Value) != "1" ||
		txn.Responses[2].GetResponseDeleteRange().Deleted != 1 || string(txn.Responses[2].GetResponseDeleteRange().PrevKvs[0].Value) != "2" ||
		!txn.Responses[3].GetResponseTxn().Succeeded || txn.Header.Revision != first+5 {
		t.Errorf("got %v", txn)
	}
	del, err := kv.DeleteRange(ctx, message(t, &pb.DeleteRangeRequest{}, b64(`{"key":'/a',"rangeEnd":'0'}`)))
	if err != nil || del.Deleted != 3 || del.PrevKvs != nil || del.Header.Revision != first+6 {
		t.Errorf("got %v, %v", del, err)
	}
	read, err := kv.Txn(ctx, message(t, &pb.TxnRequest{}, b64(`{"failure":[],"success":[{"requestRange":{"key":'b'}}]}`)))
	if err != nil || !read.Succeeded || read.Responses[0].GetResponseRange().Count != 0 || read.Header.Revision != first+6 {
		t.Errorf("got %v, %v", read, err)
	}
}

// TestKVErrors compares errors with those of the reference.
func TestKVErrors(t *testing.T) {
	f, kv := serveKV(t, nil)
	f.do("PUT", "/v2/keys/x", "value=1")
	ctx := t.Context()
	for _, c := range []struct {
		request string
		want    error
	}{
		{`{"requestRange":{}}`, rpctypes.ErrGRPCEmptyKey},
		{`{"requestRange":{"key":'a',"sortOrder":7}}`, rpctypes.ErrGRPCInvalidSortOption},
		{`{"requestRange":{"key":'a',"sortTarget":7}}`, rpctypes.ErrGRPCInvalidSortOption},
		{`{"requestRange":{"key":'a',"revision":1000}}`, rpctypes.ErrGRPCFutureRev},
		{`{"requestPut":{}}`, rpctypes.ErrGRPCEmptyKey},
		{`{"requestPut":{"key":'a',"ignoreValue":true}}`, rpctypes.ErrGRPCKeyNotFound},
		{`{"requestPut":{"key":'a',"ignoreLease":true}}`, rpctypes.ErrGRPCKeyNotFound},
		{`{"requestPut":{"key":'a',"ignoreValue":true,"value":'1'}}`, rpctypes.ErrGRPCValueProvided},
		{`{"requestPut":{"key":'a',"ignoreLease":true,"lease":1}}`, rpctypes.ErrGRPCLeaseProvided},
		{`{"requestPut":{"key":'a',"lease":99}}`, rpctypes.ErrGRPCLeaseNotFound},
		{`{"requestDeleteRange":{}}`, rpctypes.ErrGRPCEmptyKey},
		{`{"requestTxn":{"success":[{"requestPut":{"key":'a'}},{"requestPut":{"key":'a'}}]}}`, rpctypes.ErrGRPCDuplicateKey},
		{`{"requestTxn":{"compare":[{"target":"MOD"}]}}`, rpctypes.ErrGRPCEmptyKey},
	} {
		t.Run(c.request, func(t *testing.T) {
			op := message(t, &pb.RequestOp{}, b64(c.request))
			_, err := kv.Txn(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{op}})
			expectStatus(t, err, c.want)
			switch r := op.Request.(type) {
			case *pb.RequestOp_RequestRange:
				_, err = kv.Range(ctx, r.RequestRange)
			case *pb.RequestOp_RequestPut:
				_, err = kv.Put(ctx, r.RequestPut)
			case *pb.RequestOp_RequestDeleteRange:
				_, err = kv.DeleteRange(ctx, r.RequestDeleteRange)
			case *pb.RequestOp_RequestTxn:
				_, err = kv.Txn(ctx, r.RequestTxn)
			}
			expectStatus(t, err, c.want)
		})
	}
	t.Run("too many operations", func(t *testing.T) {
		_, err := kv.Txn(ctx, &pb.TxnRequest{Compare: make129(t)})
		expectStatus(t, err, rpctypes.ErrGRPCTooManyOps)
	})
	t.Run("too large", func(t *testing.T) {
		_, err := kv.Put(ctx, &pb.PutRequest{Key: []byte("a"), Value: make([]byte, 1<<20)})
		expectStatus(t, err, rpctypes.ErrGRPCRequestTooLarge)
	})
	t.Run("compaction", func(t *testing.T) {
		_, err := kv.Compact(ctx, &pb.CompactionRequest{Revision: 1000})
		expectStatus(t, err, rpctypes.ErrGRPCFutureRev)
	})
}

// make129 returns one compare more than a transaction may have.
func make129(t *testing.T) (compares []*pb.Compare) {
	for range 129 {
		compares = append(compares, message(t, &pb.Compare{}, b64(`{"key":'a'}`)))
	}
	return compares
}

// TestKVQuota refuses changes that add bytes.
func TestKVQuota(t *testing.T) {
	_, kv := serveKV(t, func(cfg *MemberConfig) { cfg.Service.QuotaBytes = 10 })
	ctx := t.Context()
	if _, err := kv.Put(ctx, &pb.PutRequest{Key: []byte("a"), Value: []byte("0123456789")}); err != nil {
		t.Fatal(err)
	}
	_, err := kv.Put(ctx, &pb.PutRequest{Key: []byte("b"), Value: []byte("1")})
	expectStatus(t, err, rpctypes.ErrGRPCNoSpace)
	if _, err := kv.Put(ctx, &pb.PutRequest{Key: []byte("a"), Value: []byte("1")}); err != nil {
		t.Error(err)
	}
}
