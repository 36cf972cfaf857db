package v3

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

// The values of --write-out.
const (
	formatSimple   = "simple"
	formatFields   = "fields"
	formatJSON     = "json"
	formatProtobuf = "protobuf"
	formatTable    = "table"
)

// answerFormats are the formats of an answer without a table, beside simple.
var answerFormats = []string{formatJSON, formatFields, formatProtobuf}

// messageFormats are the formats of an answer without fields and without a table, beside simple.
var messageFormats = []string{formatJSON, formatProtobuf}

// tableFormats are the formats of lists of endpoints.
var tableFormats = []string{formatJSON, formatFields, formatTable}

// checkFormat returns an error for a --write-out that is not one of formats. A command without formats accepts all that exist.
func (p *program) checkFormat(formats []string) error {
	format := p.globals.output
	if !slices.Contains([]string{formatSimple, formatFields, formatJSON, formatProtobuf, formatTable}, format) {
		return fail(exitBadFeature, "unsupported output format")
	}
	if len(formats) > 0 && format != formatSimple && !slices.Contains(formats, format) {
		return unsupported(format)
	}
	return nil
}

// unsupported returns the failure for a --write-out that a command does not have.
func unsupported(format string) error {
	return fail(exitBadFeature, "%s not supported as output format", format)
}

// answer is what a command prints, in every format that it has.
type answer struct {
	message proto.Message // for json and protobuf
	json    any           // for json, if it is not message
	simple  func(*text)
	fields  func(*text)
	table   func() *table
}

// print prints an answer in the format of --write-out.
func (p *program) print(a answer) error {
	t := &text{hex: p.globals.hex}
	switch p.globals.output {
	case formatJSON:
		value := a.json
		if value == nil {
			value = a.message
		}
		data, err := json.Marshal(value)
		if err != nil {
			return err
		}
		t.Write(append(data, '\n'))
	case formatProtobuf:
		data, err := proto.Marshal(a.message)
		if err != nil {
			return err
		}
		t.Write(data)
	case formatFields:
		if a.fields == nil {
			return unsupported(formatFields)
		}
		a.fields(t)
	case formatTable:
		if a.table == nil {
			return unsupported(formatTable)
		}
		a.table().write(t)
	default:
		a.simple(t)
	}
	_, err := p.stdout.Write(t.Bytes())
	return err
}

// text is output under construction.
type text struct {
	bytes.Buffer
	hex bool // print keys and values in hexadecimal
}

// linef appends a line.
func (t *text) linef(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

// bytesLine appends a key or a value and the end of the line.
func (t *text) bytesLine(b []byte) {
	if !t.hex {
		t.Write(b)
		t.WriteByte('\n')
		return
	}
	for _, c := range b {
		fmt.Fprintf(t, `\x%02x`, c)
	}
	t.WriteByte('\n')
}

// pair appends a key and its value.
func (t *text) pair(kv *mvccpb.KeyValue) {
	t.bytesLine(kv.Key)
	t.bytesLine(kv.Value)
}

// field appends a field of the format fields.
func (t *text) field(name string, value any) {
	switch v := value.(type) {
	case []byte:
		t.linef("%q : %q", name, v)
	case string:
		t.linef("%q : %q", name, v)
	default:
		t.linef("%q : %v", name, v)
	}
}

// id appends the ID of a cluster, a member or a lease. hexFormat is its form with --hex.
func (t *text) id(name string, id any, hexFormat string) {
	if t.hex {
		t.linef("%q : "+hexFormat, name, id)
		return
	}
	t.linef("%q : %d", name, id)
}

// header appends the fields of a header.
func (t *text) header(h *pb.ResponseHeader) {
	t.id("ClusterID", h.GetClusterId(), "%x")
	t.id("MemberID", h.GetMemberId(), "%x")
	if h.GetRevision() > 0 { // an answer about members has none
		t.field("Revision", h.GetRevision())
	}
	t.field("RaftTerm", h.GetRaftTerm())
}

// keyValue appends the fields of a key. prefix begins their names.
func (t *text) keyValue(prefix string, kv *mvccpb.KeyValue) {
	t.field(prefix+"Key", kv.Key)
	t.field(prefix+"CreateRevision", kv.CreateRevision)
	t.field(prefix+"ModRevision", kv.ModRevision)
	t.field(prefix+"Version", kv.Version)
	t.field(prefix+"Value", kv.Value)
	t.id(prefix+"Lease", kv.Lease, "%016x")
}

// response is a response of the API.
type response interface {
	proto.Message
	GetHeader() *pb.ResponseHeader
}

// printHeader prints the outcome of a call: the error, or a response that is shown as its header. The line is its simple form.
func (p *program) printHeader(r response, err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return p.print(answer{
		message: r,
		simple:  func(t *text) { t.linef(format, args...) },
		fields:  func(t *text) { t.header(r.GetHeader()) },
	})
}
