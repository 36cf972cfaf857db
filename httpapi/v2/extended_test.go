package v2

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pando/httpapi/service"
	"pando/tree"
)

func TestAcceptsRaw(t *testing.T) {
	for accept, want := range map[string]bool{
		"":                         false,
		"*/*":                      false,
		"application/*":            false,
		"application/octet-stream": true,
		"text/html, Application/Octet-Stream ; q=0.5":                true,
		"application/octet-stream, application/json":                 false,
		"application/octet-stream;q=1.0, application/json;q=0.9":     true,
		"application/octet-stream;q=0.1, application/json;q=0.9":     false,
		"application/octet-stream;q=0":                               false,
		"application/octet-stream;q=2":                               false,
		"application/octet-stream;q=NaN":                             false,
		"application/octet-stream;q=x":                               false,
		"application/octet-stream;v=1;Q=0.3, application/json;q=0.2": true,
		"xapplication/octet-stream":                                  false,
	} {
		if got := acceptsRaw(strings.Split(accept, "|")); got != want {
			t.Errorf("%q: %t", accept, got)
		}
	}
	if !acceptsRaw([]string{"text/html", "application/octet-stream"}) {
		t.Error("two headers")
	}
}

func TestAcceptsEvents(t *testing.T) {
	for accept, want := range map[string]bool{
		"":                  false,
		"*/*":               false,
		"text/event-stream": true,
		"application/json, Text/Event-Stream ; q=0.5": true,
		"text/event-stream;q=0":                       false,
	} {
		if got := acceptsEvents([]string{accept}); got != want {
			t.Errorf("%q: %t", accept, got)
		}
	}
}

func TestParseTags(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat(`"7", `, maxTags+1), ", ")
	for _, tc := range []struct {
		values []string
		list   []uint64
		any    bool
		err    string // a part of it; empty for none
	}{
		{values: []string{`"5"`}, list: []uint64{5}},
		{values: []string{` "6" ,"5","6"`}, list: []uint64{5, 6}},
		{values: []string{`"6"`, `"5"`}, list: []uint64{5, 6}},
		{values: []string{`"5",, ,"6"`}, list: []uint64{5, 6}},
		{values: []string{`"18446744073709551615"`}, list: []uint64{1<<64 - 1}},
		{values: []string{`*`}, any: true},
		{values: []string{` * `}, any: true},
		{values: []string{""}, err: "has no tag"},
		{values: []string{`*, "5"`}, err: "it takes *, or"},
		{values: []string{`5`}, err: "it takes *, or"},
		{values: []string{`"5`}, err: "it takes *, or"},
		{values: []string{`"5" "6"`}, err: "it takes *, or"},
		{values: []string{`"0"`}, err: `has the tag "0"`},
		{values: []string{`"abc", "5"`}, list: []uint64{5}, err: `has the tag "abc"`},
		{values: []string{`"a,b"`}, err: `has the tag "a,b"`},
		{values: []string{`"-5"`}, err: `has the tag "-5"`},
		{values: []string{`"18446744073709551616"`}, err: "no node of this server has it"},
		{values: []string{`W/"5"`}, err: `weak tag W/"5"`},
		{values: []string{`w/"5"`}, err: "it takes *, or"},
		{values: []string{many}, list: []uint64{7}, err: "at most 16 tags"},
	} {
		t.Run(strings.Join(tc.values, "|"), func(t *testing.T) {
			got := parseTags("If-Match", tc.values)
			if !slices.Equal(got.list, tc.list) || got.any != tc.any || !got.given {
				t.Errorf("got %+v", got)
			}
			if (got.err == nil) != (tc.err == "") || got.err != nil && !strings.Contains(got.err.Error(), tc.err) {
				t.Errorf("error %v, want %q", got.err, tc.err)
			}
		})
	}
	if weak := parseTags("If-None-Match", []string{`W/"5"`}); weak.err != nil || !slices.Equal(weak.list, []uint64{5}) {
		t.Errorf("If-None-Match: %+v", weak)
	}
}

// FuzzTags parses any header. A tag that it accepts must stand in the header, and conditions that are accepted never make a change
// without a condition.
func FuzzTags(f *testing.F) {
	for _, seed := range []string{`"5"`, `W/"5", "6"`, `*`, `"a,b" , "0"`, `""`, `"5""6"`} {
		f.Add(seed, true, "PUT")
		f.Add(seed, false, "DELETE")
	}
	f.Fuzz(func(t *testing.T, header string, match bool, method string) {
		name := "If-None-Match"
		if match {
			name = "If-Match"
		}
		r := &http.Request{Method: method, Header: http.Header{name: {header}}}
		c := conditionsOf(r)
		if c == nil {
			if !isRead(method) || strings.TrimSpace(header) != "*" {
				t.Fatalf("%s %s: no conditions", method, header)
			}
			return
		}
		for _, index := range append(c.match.list, c.noneMatch.list...) {
			if !strings.Contains(header, strconv.FormatUint(index, 10)) && !strings.Contains(header, "0"+strconv.FormatUint(index, 10)) {
				t.Fatalf("%s has no %d", header, index)
			}
		}
		if isRead(method) {
			return
		}
		var p parser
		q, err := p.decode(method, KeysPath+"/a", c, time.Time{})
		if err == nil && q.command.Op != tree.OpCreate && q.command.Op != tree.OpUpdate && q.command.PrevIndex == 0 && !c.match.any {
			t.Fatalf("%s %s: %s gives %+v", method, name, header, q.command)
		}
	})
}

// FuzzListing decodes any query of a read. The URL of the next page must ask for the same list.
func FuzzListing(f *testing.F) {
	for _, seed := range []string{
		"limit=5&after=/a/b", "recursive=true&limit=1&depth=2&hidden=t&keysOnly=1&atIndex=now&quorum=true", "count=true", "depth=0&limit=3",
		"raw=true&atIndex=7", "after=%2Fa%2F%C3%A9%3F%26", "limit=2147483648", "recursive=true&limit=2&depth=2147483647",
	} {
		f.Add(seed)
	}
	s := tree.New(10)
	for _, path := range []string{"/a/b/c", "/a/d", "/a/é?&>/_h", "/a/_h"} {
		s.Apply(1, []tree.Command{{Op: tree.OpSet, Path: path}})
	}
	read := service.Read{Node: s.View().Lookup("/a"), Index: s.View().Index()}
	f.Fuzz(func(t *testing.T, query string) {
		var p parser
		if p.form.scan(query) != nil {
			return
		}
		q, err := p.decode("GET", KeysPath+"/a", nil, time.Unix(1e9, 0))
		if err != nil || q.listing == nil {
			return
		}
		_ = q.listing.Encode(read.Node, 1).Append(nil)
		h := http.Header{}
		q.listing.setNext(h, &q, read.Node, read.Index)
		link := h.Get("Link")
		if link == "" {
			return
		}
		target, ok := strings.CutSuffix(strings.TrimPrefix(link, "</v2/keys/a?"), `>; rel="next"`)
		var next parser
		if err := next.form.scan(target); !ok || err != nil {
			t.Fatalf("%s: Link is %q: %v", query, link, err)
		}
		n, err := next.decode("GET", KeysPath+"/a", nil, time.Unix(1e9, 0))
		if err != nil {
			t.Fatalf("%s: %q: %v", query, link, err)
		}
		want := *q.listing
		want.After = q.listing.End(read.Node)
		if want.pinned {
			want.atIndex = read.Index
		}
		if *n.listing != want || n.recursive != q.recursive || n.quorum != q.quorum {
			t.Fatalf("%s: the next page is %+v, want %+v", query, n.listing, want)
		}
	})
}
