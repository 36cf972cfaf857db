package v2

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"pando/tree"
)

// txnNow is the time of the requests in these tests.
var txnNow = time.Unix(1000, 0)

func TestDecodeTxn(t *testing.T) {
	at := txnNow.Add(60 * time.Second).UnixNano()
	for name, test := range map[string]struct {
		body string
		want tree.Txn
	}{
		"nothing": {` { } `, tree.Txn{}},
		"compares": {`{"compare":[{"key":"/a","prevIndex":7},{"key":"/b","prevExist":false},{"key":"/c","prevValue":"","prevExist":true}]}`,
			tree.Txn{Compares: []tree.Compare{
				{Kind: tree.CompareIndex, Path: "/a", Index: 7}, {Kind: tree.CompareMissing, Path: "/b"},
				{Kind: tree.CompareExists, Path: "/c"}, {Kind: tree.CompareValue, Path: "/c"},
			}}},
		"set": {`{"then":[{"action":"set","key":"/a","value":"1","ttl":60}]}`,
			tree.Txn{Then: []tree.Command{{Op: tree.OpSet, Path: "/a", Value: "1", Expires: at}}}},
		"a directory": {`{"else":[{"action":"set","key":"/a","dir":true}]}`,
			tree.Txn{Else: []tree.Command{{Op: tree.OpSet, Path: "/a", Dir: true}}}},
		"create": {`{"then":[{"action":"create","key":"/a","value":"1"},{"key":"/","action":"createInOrder"}]}`,
			tree.Txn{Then: []tree.Command{{Op: tree.OpCreate, Path: "/a", Value: "1"}, {Op: tree.OpCreateInOrder, Path: "/"}}}},
		"update": {`{"then":[{"action":"update","key":"/a","value":"1"},{"action":"update","key":"/a","refresh":true,"ttl":60}]}`,
			tree.Txn{Then: []tree.Command{
				{Op: tree.OpUpdate, Path: "/a", Value: "1"}, {Op: tree.OpUpdate, Path: "/a", Refresh: true, Expires: at}}}},
		"swap": {`{"then":[{"action":"set","key":"/a","value":"1","prevValue":"0"},{"action":"update","key":"/a","prevIndex":3}]}`,
			tree.Txn{Then: []tree.Command{
				{Op: tree.OpCompareAndSwap, Path: "/a", Value: "1", PrevValue: "0"}, {Op: tree.OpCompareAndSwap, Path: "/a", PrevIndex: 3}}}},
		"delete": {`{"then":[{"action":"delete","key":"/a","dir":true,"recursive":true},
			{"action":"delete","key":"/a","prevIndex":18446744073709551615}]}`,
			tree.Txn{Then: []tree.Command{
				{Op: tree.OpDelete, Path: "/a", Dir: true, Recursive: true}, {Op: tree.OpCompareAndDelete, Path: "/a", PrevIndex: 1<<64 - 1}}}},
		"get": {`{"then":[{"action":"get","key":"/","recursive":true}]}`,
			tree.Txn{Then: []tree.Command{{Op: tree.OpGet, Path: "/", Recursive: true}}}},
		"escapes": {`{"then":[{"\u0061ction":"set","key":"/\u00e9","value":"a\"\\\/\b\f\n\r\t\u2028\ud83d\ude00é"}]}`,
			tree.Txn{Then: []tree.Command{{Op: tree.OpSet, Path: "/é", Value: "a\"\\/\b\f\n\r\t\u2028😀é"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decodeTxn(test.body, txnNow)
			if err != nil || !reflect.DeepEqual(*got, test.want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, test.want)
			}
		})
	}
}

// TestDecodeTxnErrors checks the error of each invalid field.
func TestDecodeTxnErrors(t *testing.T) {
	then := func(item string) string { return `{"then":[{"action":"get","key":"/"},` + item + `]}` }
	compare := func(item string) string { return `{"compare":[` + item + `]}` }
	for body, want := range map[string]struct {
		code tree.Code
		text string
	}{
		``:                      {210, "at byte 0: expected an object"},
		`[]`:                    {210, "expected an object"},
		`{"then":{}}`:           {210, "expected an array"},
		`{"then":[]`:            {210, "expected a comma or }"},
		`{"then":[],}`:          {210, "expected a string"},
		`{"then":[{}}`:          {209, `then[0]: "key" is missing`},
		`{} {}`:                 {210, "something follows"},
		`{"then":null}`:         {210, "expected an array"},
		"{\"a\xff\":1}":         {210, "not valid UTF-8"},
		`{"Then":[]}`:           {209, `unknown field "Then"`},
		`{"then":[],"then":[]}`: {209, `"then" is given twice`},
		`{"then":[1]}`:          {210, "expected an object, which begins with { (in then[0])"},

		then(`{"key":"/a"}`):                                              {209, `then[1]: "action" is missing`},
		then(`{"action":"put","key":"/a"}`):                               {209, `then[1]: unknown action "put"; the actions are create, `},
		then(`{"action":"get"}`):                                          {209, `then[1]: "key" is missing`},
		then(`{"action":"get","key":"a"}`):                                {209, `then[1]: the key "a" must begin with a slash`},
		then(`{"action":"get","key":"/a/"}`):                              {209, `the key "/a/"`},
		then(`{"action":"get","key":"/a","key":"/a"}`):                    {209, `then[1]: "key" is given twice`},
		then(`{"action":"get","key":"/a","Key":"/a"}`):                    {209, `then[1]: unknown field "Key"`},
		then(`{"action":"get","key":"/a","value":"1"}`):                   {209, `the action "get" has the fields key, action, recursive`},
		then(`{"action":"create","key":"/a","prevExist":false}`):          {209, `"prevExist" has no meaning here`},
		then(`{"action":"set","key":"/a","ttl":"60"}`):                    {202, "then[1].ttl: at byte 69: expected a whole number"},
		then(`{"action":"set","key":"/a","ttl":-1}`):                      {202, "expected a whole number"},
		then(`{"action":"set","key":"/a","ttl":1.0}`):                     {202, "expected a whole number"},
		then(`{"action":"set","key":"/a","ttl":01}`):                      {202, "expected a whole number"},
		then(`{"action":"set","key":"/a","ttl":18446744073709551616}`):    {202, "expected a whole number"},
		then(`{"action":"set","key":"/a","ttl":18446744073709551615}`):    {202, "beyond the year 2262"},
		then(`{"action":"set","key":"/a","prevIndex":"7"}`):               {203, "then[1].prevIndex: "},
		then(`{"action":"set","key":"/a","prevIndex":0}`):                 {203, `"prevIndex" is 0`},
		then(`{"action":"set","key":"/a","prevValue":""}`):                {201, `"prevValue" cannot be empty`},
		then(`{"action":"set","key":"/a","prevValue":"1","dir":true}`):    {209, `compare a file`},
		then(`{"action":"delete","key":"/a","prevIndex":1,"dir":true}`):   {209, `compare a file`},
		then(`{"action":"set","key":"/a","value":"","dir":true}`):         {209, `a directory has no value`},
		then(`{"action":"set","key":"/a","refresh":true}`):                {212, `"refresh" needs a "ttl"`},
		then(`{"action":"set","key":"/a","refresh":true,"value":"1"}`):    {211, `which keeps the value`},
		then(`{"action":"set","key":"/a","value":1}`):                     {210, "begins with a double quote (in then[1].value)"},
		then(`{"action":"set","key":"/a","value":null}`):                  {210, "expected a string"},
		then(`{"action":"set","key":"/a","dir":"true"}`):                  {210, "expected true or false (in then[1].dir)"},
		then(`{"action":"set","key":"/a","value":"\ud800"}`):              {210, "an escape is invalid"},
		then(`{"action":"set","key":"/a","value":"\ud800\u0041"}`):        {210, "an escape is invalid"},
		then(`{"action":"set","key":"/a","value":"\x"}`):                  {210, "an escape is invalid"},
		then(`{"action":"set","key":"/a","value":"\u12g4"}`):              {210, "an escape is invalid"},
		then("{\"action\":\"set\",\"key\":\"/a\",\"value\":\"a\nb\"}"):    {210, "control character"},
		then("{\"action\":\"set\",\"key\":\"/a\",\"value\":\"\\na\nb\"}"): {210, "control character"},
		`{"then":[{"action":"set","key":"/a`:                              {210, "a string does not end"},
		`{"then":[{"action":"set","key":"/a\n`:                            {210, "a string does not end"},

		compare(`{"key":"/a"}`):                                     {209, `compare[0]: there is no condition`},
		compare(`{"key":"/a","action":"get"}`):                      {209, `a compare has the fields key, prevValue`},
		compare(`{"key":"/a","prevExist":false,"prevIndex":1}`):     {209, `"prevExist":false must be alone`},
		compare(`{"key":"/a","prevIndex":0}`):                       {203, `"prevIndex" is 0`},
		compare(`{"key":"/` + strings.Repeat("a/", 1024) + `b"}`):   {209, "levels"},
		compare(strings.Repeat(`{"key":"/a","prevIndex":1},`, 129)): {209, `"compare" has more than 128 elements`},
	} {
		got, err := decodeTxn(body, txnNow)
		e, ok := err.(*tree.Error)
		if !ok || e.Code != want.code || !strings.Contains(e.Cause, want.text) {
			t.Errorf("%s\ngot  %+v, %v\nwant %d %s", body, got, err, want.code, want.text)
		}
	}
}

// FuzzDecodeTxn decodes arbitrary bodies. What is accepted must be JSON that encoding/json reads alike, and a transaction that can be
// proposed and executed.
func FuzzDecodeTxn(f *testing.F) {
	for _, body := range []string{
		`{"compare":[{"key":"/a","prevIndex":7},{"key":"/b","prevExist":false}],"then":[{"action":"set","key":"/a","value":"\u0031","ttl":60}]}`,
		`{"else":[{"action":"delete","key":"/a","recursive":true},{"action":"get","key":"/"},{"action":"createInOrder","key":"/q"}]}`,
		`{"then":[{"action":"set","key":"/a","value":"\ud83d\ude00"}]}`, `{`, `{"then":[{"action":"update","refresh":true}]}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		txn, err := decodeTxn(body, txnNow)
		if err != nil {
			if e, ok := err.(*tree.Error); !ok || e.Cause == "" {
				t.Fatalf("not a *tree.Error with a cause: %v", err)
			}
			return
		}
		var plain struct {
			Compare    []struct{ Key string }
			Then, Else []struct{ Key, Value string }
		}
		if err := json.Unmarshal([]byte(body), &plain); err != nil {
			t.Fatalf("%q was accepted: %v", body, err)
		}
		for i, c := range append(txn.Then, txn.Else...) {
			if all := append(plain.Then, plain.Else...); c.Path != all[i].Key || c.Value != all[i].Value {
				t.Fatalf("operation %d is %+v, want %+v", i, c, all[i])
			}
		}
		c := tree.Command{Op: tree.OpTxn, Txn: txn}
		encoded := tree.AppendCommand(nil, &c)
		decoded, rest, err := tree.DecodeCommand(encoded)
		if err != nil || len(rest) > 0 {
			t.Fatalf("%q can't be proposed: %v", body, err)
		}
		if len(encoded) > len(body)+64 {
			t.Fatalf("%q has %d bytes, and its command has %d", body, len(body), len(encoded))
		}
		tree.New(10).Apply(1, []tree.Command{decoded, decoded})
	})
}
