package v3

import (
	"bytes"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// rangeOfOne is a response to a Range of one key, as a Message.
type rangeOfOne struct {
	key, value          string
	create, mod         uint64
	cluster, member, to uint64
}

func (r rangeOfOne) keyValue(b []byte) []byte {
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendString(b, r.key)
	b = protowire.AppendTag(b, 2, protowire.VarintType)
	b = protowire.AppendVarint(b, r.create)
	b = protowire.AppendTag(b, 3, protowire.VarintType)
	b = protowire.AppendVarint(b, r.mod)
	b = protowire.AppendTag(b, 4, protowire.VarintType)
	b = protowire.AppendVarint(b, 1)
	b = protowire.AppendTag(b, 5, protowire.BytesType)
	return protowire.AppendString(b, r.value)
}

func (r rangeOfOne) Size() int { return len(r.key) + len(r.value) + 120 }

func (r rangeOfOne) AppendTo(b []byte) []byte {
	var scratch [64]byte
	header := protowire.AppendTag(scratch[:0], 1, protowire.VarintType)
	header = protowire.AppendVarint(header, r.cluster)
	header = protowire.AppendTag(header, 2, protowire.VarintType)
	header = protowire.AppendVarint(header, r.member)
	header = protowire.AppendTag(header, 3, protowire.VarintType)
	header = protowire.AppendVarint(header, r.to)
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendBytes(b, header)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	size := protowire.SizeBytes(len(r.key)) + protowire.SizeBytes(len(r.value)) + protowire.SizeVarint(r.create) +
		protowire.SizeVarint(r.mod) + 1 + 5
	b = protowire.AppendVarint(b, uint64(size))
	b = r.keyValue(b)
	b = protowire.AppendTag(b, 4, protowire.VarintType)
	return protowire.AppendVarint(b, 1)
}

// generated returns the same response as a generated message.
func (r rangeOfOne) generated() *pb.RangeResponse {
	return &pb.RangeResponse{
		Header: &pb.ResponseHeader{ClusterId: r.cluster, MemberId: r.member, Revision: int64(r.to)},
		Kvs: []*mvccpb.KeyValue{{
			Key: []byte(r.key), Value: []byte(r.value), CreateRevision: int64(r.create), ModRevision: int64(r.mod), Version: 1,
		}},
		Count: 1,
	}
}

func newRangeOfOne(value int) rangeOfOne {
	return rangeOfOne{
		key: "/registry/pods/default/web-0", value: strings.Repeat("v", value), create: 1234567, mod: 2345678,
		cluster: 0x8e9e05c52164694d, member: 0xcdf818194e3a8c32, to: 3456789,
	}
}

func TestMarshal(t *testing.T) {
	for _, size := range []int{1, 100, 5000} {
		r := newRangeOfOne(size)
		want, err := proto.Marshal(r.generated())
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string]any{
			"generated": r.generated(), "Message": r, "Buffers": Buffers{mem.SliceBuffer(want[:10]), mem.SliceBuffer(want[10:])},
		} {
			b, err := codec{}.Marshal(v)
			if err != nil || !bytes.Equal(b.Materialize(), want) {
				t.Errorf("%s of %d bytes: got %x, %v, want %x", name, size, b.Materialize(), err, want)
			}
			b.Free()
		}
	}
	if _, err := (codec{}).Marshal("no message"); err == nil {
		t.Error("a string is encoded")
	}
}

// rawRequest is a request that keeps its wire form.
type rawRequest struct{ b []byte }

func (r *rawRequest) Decode(b []byte) error {
	r.b = bytes.Clone(b)
	return nil
}

func TestUnmarshal(t *testing.T) {
	want, err := proto.Marshal(&pb.RangeRequest{Key: []byte("a"), Limit: 7})
	if err != nil {
		t.Fatal(err)
	}
	data := mem.BufferSlice{mem.SliceBuffer(want[:1]), mem.SliceBuffer(want[1:])}
	var raw rawRequest
	if err := (codec{}).Unmarshal(data, &raw); err != nil || !bytes.Equal(raw.b, want) {
		t.Errorf("got %x, %v", raw.b, err)
	}
	var r pb.RangeRequest
	if err := (codec{}).Unmarshal(data, &r); err != nil || r.Limit != 7 {
		t.Errorf("got %v, %v", &r, err)
	}
}

// BenchmarkMarshal compares the forms of a response to a Range of one key with a value of 256 bytes.
func BenchmarkMarshal(b *testing.B) {
	r := newRangeOfOne(256)
	b.Run("generated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			out, _ := codec{}.Marshal(r.generated())
			out.Free()
		}
	})
	b.Run("Message", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			out, _ := codec{}.Marshal(&r)
			out.Free()
		}
	})
}
