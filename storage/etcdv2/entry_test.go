package etcdv2

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// encodeRequest encodes a Request as etcd does: all fields, in order, but prevExist and refresh only if they are set.
func encodeRequest(id uint64, r *request, refresh *bool, others uint64) []byte {
	var b []byte
	number := func(num protowire.Number, v uint64) {
		b = protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
	}
	text := func(num protowire.Number, v string) {
		b = protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), v)
	}
	number(requestID, id)
	text(requestMethod, r.method)
	text(requestPath, r.path)
	text(requestValue, r.value)
	number(requestDir, protowire.EncodeBool(r.dir))
	text(requestPrevValue, r.prevValue)
	number(requestPrevIndex, r.prevIndex)
	if r.prevExist != nil {
		number(requestPrevExist, protowire.EncodeBool(*r.prevExist))
	}
	number(requestExpiration, uint64(r.expiration))
	number(10, others&1)
	number(11, others)
	number(requestRecursive, protowire.EncodeBool(r.recursive))
	number(13, others>>1&1)
	number(14, others>>2&1)
	number(requestTime, uint64(r.time))
	number(16, others>>3&1)
	if refresh != nil {
		number(requestRefresh, protowire.EncodeBool(*refresh))
	}
	return b
}

// randomText returns texts that are likely to be mistaken for something else: tags and lengths.
func randomText(r *rand.Rand) string {
	b := make([]byte, r.IntN(12))
	for i := range b {
		b[i] = []byte{0, 1, 2, 5, 8, 0x0a, 0x12, 0x1a, 0x22, 0x28, 0x2a, 0x38, 0x48, 'P', 'U', 'T'}[r.IntN(16)]
	}
	return string(b)
}

func randomRequest(r *rand.Rand) (*request, []byte) {
	flag := func() bool { return r.IntN(2) == 0 }
	q := &request{
		method: []string{"PUT", "POST", "DELETE", "QGET", "SYNC", "", randomText(r)}[r.IntN(7)],
		path:   randomText(r), value: randomText(r), dir: flag(), prevValue: randomText(r), prevIndex: r.Uint64() >> r.IntN(64),
		expiration: int64(r.Uint64()), recursive: flag(), time: int64(r.Uint64()),
	}
	if flag() {
		exist := flag()
		q.prevExist = &exist
	}
	var refresh *bool
	if flag() {
		q.refresh = flag()
		refresh = &q.refresh
	}
	return q, encodeRequest(r.Uint64()>>r.IntN(64), q, refresh, r.Uint64())
}

// randomInternal returns an InternalRaftRequest: an ID, and messages in any fields.
func randomInternal(r *rand.Rand) []byte {
	var b []byte
	if r.IntN(4) > 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, internalID, protowire.VarintType), r.Uint64())
	}
	for num := protowire.Number(3); num < 20; num++ {
		if r.IntN(3) == 0 {
			b = protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), randomText(r))
		}
	}
	return b
}

// TestKindsOfEntries makes sure that no entry is mistaken for one of the other kind, whatever its fields hold.
func TestKindsOfEntries(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		want, data := randomRequest(r)
		c, err := decodeCommand(data)
		if err != nil || !reflect.DeepEqual(c.request, want) || c.v3 {
			t.Fatalf("request %x: got %+v, %v, want %+v", data, c.request, err, want)
		}
		wrapped := protowire.AppendBytes(protowire.AppendTag(nil, internalV2, protowire.BytesType), data)
		if c, err := decodeCommand(wrapped); err != nil || !reflect.DeepEqual(c.request, want) {
			t.Fatalf("wrapped request %x: got %+v, %v", data, c.request, err)
		}
		internal := randomInternal(r)
		if isRequest(internal) {
			t.Fatalf("v3 request %x was taken for one of v2", internal)
		}
		if c, err := decodeCommand(internal); err != nil || c.request != nil {
			t.Fatalf("v3 request %x: got %+v, %v", internal, c, err)
		}
		cut := data[:r.IntN(len(data))]
		if isRequest(cut) && !bytes.HasPrefix(data[len(cut):], []byte{0x88, 1}) {
			t.Fatalf("the beginning %x of a request was taken for a whole one", cut)
		}
	}
}

func FuzzEntry(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		_, data := randomRequest(r)
		f.Add(data)
		f.Add(randomInternal(r))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a := &applier{store: newStore(10)}
		for _, kind := range []uint64{normalEntry, confChangeEntry, 2} {
			_ = a.apply(entry{kind: kind, data: data}) // must not panic
		}
		if c, err := decodeCommand(data); err == nil && c.request != nil && c.v3 {
			t.Error("an entry of both kinds")
		}
		checkEvents(t, a.store)
	})
}

// checkEvents checks that each index has one event.
func checkEvents(t *testing.T, s *store) {
	t.Helper()
	next := uint64(0)
	for e := range s.events.all() {
		if next != 0 && e.Node.Modified != next {
			t.Fatalf("event %d in the place of event %d", e.Node.Modified, next)
		}
		next = e.Node.Modified + 1
	}
	if next != 0 && next != s.index+1 {
		t.Fatalf("the last event is %d, the index %d", next-1, s.index)
	}
}
