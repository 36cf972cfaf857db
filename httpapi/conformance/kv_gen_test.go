package conformance

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// kvStep is one request. A revision in it that is near relativeRevision is relative to the current one.
type kvStep struct{ request proto.Message }

func (s kvStep) String() string {
	text := fmt.Sprintf("%s{%s}", s.request.ProtoReflect().Descriptor().Name(), prototext.MarshalOptions{}.Format(s.request))
	text = relativeNumber.ReplaceAllStringFunc(text, func(number string) string {
		n, _ := strconv.ParseInt(number, 10, 64)
		return fmt.Sprintf("now%+d", n-relativeRevision)
	})
	return longText.ReplaceAllStringFunc(text, func(text string) string { return fmt.Sprintf("%.4s...(%d)", text, len(text)) })
}

var (
	relativeNumber = regexp.MustCompile(`\b10995116\d{5}\b`)
	longText       = regexp.MustCompile(`[xnp]{600,}|(d/){200,}`)
)

const (
	relativeRevision  = 1 << 40 // the number that stands for the current revision
	relativeRevisions = 200     // how far back requests look
)

// kvGenerator generates random requests.
type kvGenerator struct {
	*rand.Rand
	version string // of etcd
	watches int64  // requests for watches
}

// newKVGenerator returns a generator of requests that a version of etcd answers.
func newKVGenerator(version string, seed uint64) *kvGenerator {
	return &kvGenerator{Rand: rand.New(rand.NewPCG(seed, 3)), version: version}
}

// kvKeys are the keys: paths of v2, files at the paths of directories, keys that are no path, binary ones, prefixes of others.
var kvKeys = []string{
	"foo", "foo1", "foo2", "fop", "f", "a", "b", " ", "/", "//", "/a/", "/a//b", "/./x", "..", "/b/../x", "é", "/a/.", "//a",
	"/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a-b", "/a.b", "/a0", "/ab", "/a-b/c", "/b/c", "/b", "/_h", "/_h/x", "/a/_x", "/é/ü",
	"\x00", "\x00\x00", "\x01", "\xff", "\xff\xff", "/\x00", "/\xff", "/\xff\xff", "/a\x00", "/a/\x00b", "/a\xff", "/a/b\xff\xff",
	"/" + strings.Repeat("d/", 300) + "x", "/" + strings.Repeat("n", 3000), strings.Repeat("p", 3000),
}

// kvLeases are the IDs of leases. No request grants the last.
var kvLeases = []int64{1, 2, 77, 1 << 50, 0x7fffffffffffffff, 99}

// sequence returns a sequence of requests: it starts without keys and leases, and with watches.
func (g *kvGenerator) sequence(n int) []kvStep {
	var steps []kvStep
	for range 1 + g.IntN(4) {
		steps = append(steps, kvStep{g.watchCreate()})
	}
	for range n {
		steps = append(steps, kvStep{g.request()})
	}
	return steps
}

func (g *kvGenerator) request() proto.Message {
	n := g.IntN(100)
	if !*kvLeaseRequests && n >= 81 && n < 92 {
		n = 0
	}
	switch {
	case n < 30:
		return g.put()
	case n < 55:
		return g.rangeOf(true, false)
	case n < 63:
		return g.deleteRange()
	case n < 80:
		return withoutPanic(g.txn(2))
	case n < 81:
		return &pb.CompactionRequest{Revision: g.revision(), Physical: g.one(2)}
	case n < 85:
		return &pb.LeaseGrantRequest{ID: g.lease(), TTL: oneOf[int64](g, 10, 60, 3600, 3600, 9_000_000_000, 9_000_000_001)}
	case n < 87:
		return &pb.LeaseRevokeRequest{ID: g.lease()}
	case n < 90:
		return &pb.LeaseTimeToLiveRequest{ID: g.lease(), Keys: g.one(2)}
	case n < 91:
		return &pb.LeaseLeasesRequest{}
	case n < 92:
		return &pb.LeaseKeepAliveRequest{ID: g.lease()}
	case n < 97:
		return g.watchCreate()
	default:
		return &pb.WatchCancelRequest{WatchId: int64(g.IntN(int(g.watches)+2)) + oneOf[int64](g, 0, 100)}
	}
}

// one is true once in n times.
func (g *kvGenerator) one(n int) bool { return g.IntN(n) == 0 }

func oneOf[T any](g *kvGenerator, list ...T) T { return list[g.IntN(len(list))] }

func (g *kvGenerator) key() []byte {
	if g.one(100) {
		return nil
	}
	if g.one(2) { // a smaller set, so that requests meet
		return []byte(oneOf(g, "foo", "foo1", "/a", "/a/b", "/a/b/c", "/a-b", "/a/", "\xff"))
	}
	return []byte(oneOf(g, kvKeys...))
}

// keyRange returns a key and an end: none, that of the prefix, all following keys, or any key.
func (g *kvGenerator) keyRange() (key, end []byte) {
	key = g.key()
	switch g.IntN(8) {
	case 0, 1:
		return key, prefixEnd(key)
	case 2:
		return key, []byte{0}
	case 3:
		return key, g.key()
	case 4:
		return []byte{0}, []byte{0}
	}
	return key, nil
}

// prefixEnd returns the end of the range of the keys that begin with prefix.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte{}, prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return []byte{0}
}

func (g *kvGenerator) lease() int64 { return oneOf(g, kvLeases...) }

func (g *kvGenerator) value() []byte {
	return []byte(oneOf(g, "", "1", "2", "3", "v", "longer", "\x00\xff", strings.Repeat("x", 700)))
}

// revision returns a revision: mostly one of the last.
func (g *kvGenerator) revision() int64 {
	switch g.IntN(20) {
	case 0:
		return int64(g.IntN(3)) - 1
	case 1:
		return relativeRevision + 1 + int64(g.IntN(3))
	case 2:
		return relativeRevision - int64(g.IntN(relativeRevisions))
	}
	return relativeRevision - int64(g.IntN(25))
}

// leaseOfPut returns an ID of a lease for a put: none, mostly.
func (g *kvGenerator) leaseOfPut() int64 {
	if g.one(4) {
		l := g.lease()
		if !*kvLeaseRequests {
			l = 99
		}
		return l
	}
	return 0
}

func (g *kvGenerator) put() *pb.PutRequest {
	r := &pb.PutRequest{Key: g.key(), Value: g.value(), Lease: g.leaseOfPut(), PrevKv: g.one(2)}
	r.IgnoreValue, r.IgnoreLease = g.one(12), g.one(12)
	if r.IgnoreValue && !g.one(4) {
		r.Value = nil
	}
	if r.IgnoreLease && !g.one(4) {
		r.Lease = 0
	}
	return r
}

func (g *kvGenerator) deleteRange() *pb.DeleteRangeRequest {
	r := &pb.DeleteRangeRequest{PrevKv: g.one(2)}
	if r.Key, r.RangeEnd = g.keyRange(); len(r.RangeEnd) > 0 && !g.one(3) {
		r.RangeEnd = nil // else the keys would soon be gone
	}
	return r
}

// rangeOf returns a range request. Only some have filters and orders. Revisions before the current one are for those that may be old.
func (g *kvGenerator) rangeOf(old, inTxn bool) *pb.RangeRequest {
	r := &pb.RangeRequest{KeysOnly: g.one(6), CountOnly: g.one(8), Serializable: g.one(3)}
	r.Key, r.RangeEnd = g.keyRange()
	if g.one(3) {
		r.Limit = int64(g.IntN(12)) - 1
	}
	if old && g.one(3) {
		r.Revision = g.revision()
	}
	if inTxn { // after a compaction etcd refuses negative ones, but in a request of its own a negative one is the current revision
		r.Revision = max(0, r.Revision)
	}
	if g.one(3) {
		r.SortTarget, r.SortOrder = pb.RangeRequest_SortTarget(g.IntN(5)), pb.RangeRequest_SortOrder(g.IntN(3))
	}
	if g.one(50) && g.version != "3.4" { // it panics
		r.SortTarget, r.SortOrder = pb.RangeRequest_SortTarget(g.IntN(7)), pb.RangeRequest_SortOrder(g.IntN(5))
	}
	for _, bound := range []*int64{&r.MinModRevision, &r.MaxModRevision, &r.MinCreateRevision, &r.MaxCreateRevision} {
		if g.one(12) {
			*bound = g.revision()
		}
	}
	return r
}

func (g *kvGenerator) watchCreate() *pb.WatchCreateRequest {
	r := &pb.WatchCreateRequest{PrevKv: g.one(2), Fragment: g.one(4)}
	r.Key, r.RangeEnd = g.keyRange()
	if g.one(2) {
		if r.StartRevision = g.revision(); r.StartRevision < 0 && g.version == "3.4" {
			r.StartRevision = 0 // it takes negative ones
		}
	}
	if g.one(4) {
		r.Filters = append(r.Filters, pb.WatchCreateRequest_FilterType(g.IntN(2)))
	}
	switch {
	case g.one(3):
		r.WatchId = 100 + g.watches
	case g.one(10):
		r.WatchId = allKeysWatch // which is in use. An ID of a compacted watch stays in use in etcd, and is free in Pando
	}
	g.watches++
	return r
}
