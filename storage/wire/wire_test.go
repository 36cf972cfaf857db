package wire

import (
	"errors"
	"reflect"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func TestEachField(t *testing.T) {
	message := AppendText(AppendInt(nil, 1, -1), 2, "text")
	message = AppendMessage(AppendText(AppendInt(message, 3, 0), 4, ""), 5, nil)
	message = protowire.AppendFixed32(protowire.AppendTag(message, 6, protowire.Fixed32Type), 32)
	message = protowire.AppendFixed64(protowire.AppendTag(message, 7, protowire.Fixed64Type), 64)
	message = protowire.AppendTag(protowire.AppendTag(message, 8, protowire.StartGroupType), 8, protowire.EndGroupType)
	want := []Field{
		{Num: 1, Type: protowire.VarintType, Number: 1<<64 - 1},
		{Num: 2, Type: protowire.BytesType, Bytes: []byte("text")},
		{Num: 5, Type: protowire.BytesType, Bytes: []byte{}},
		{Num: 6, Type: protowire.Fixed32Type, Number: 32},
		{Num: 7, Type: protowire.Fixed64Type, Number: 64},
		{Num: 8, Type: protowire.StartGroupType},
	}
	var got []Field
	collect := func(f Field) error {
		got = append(got, f)
		return nil
	}
	if err := EachField(message, collect); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, malformed := range []string{"\x0a\xff", "\x08", "\xff", "\x0d\x00", "\x09\x00", "\x43", "\x44", "\x00"} {
		if err := EachField([]byte(malformed), collect); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v, want %v", malformed, err, ErrMalformed)
		}
	}
	stop := errors.New("stop")
	if err := EachField(message, func(Field) error { return stop }); err != stop {
		t.Errorf("%v, want the error of visit", err)
	}
}
