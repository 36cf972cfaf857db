package v2

import (
	"strings"
	"testing"
)

func BenchmarkParseForm(b *testing.B) {
	text := "value=" + strings.Repeat("x", 256) + "&ttl=5&prevExist=true"
	b.ReportAllocs()
	for b.Loop() {
		var f form
		if err := f.scan(text); err != nil {
			b.Fatal(err)
		}
	}
}
