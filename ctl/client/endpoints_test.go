package client

import (
	"fmt"
	"testing"
)

func TestParseEndpoints(t *testing.T) {
	for given, want := range map[string]string{
		"http://10.0.0.1:2379":      "[http://10.0.0.1:2379]",
		"https://a/prefix":          "[https://a/prefix]",
		"localhost":                 "[http://localhost]",
		"localhost/prefix":          "[http://localhost/prefix]",
		"10.0.0.1:2379":             "[http://10.0.0.1:2379]",
		"localhost:2379":            "[http://localhost:2379]",
		"[::1]:2379":                "[http://[::1]:2379]",
		" http://a:1 , b:2, ":       "[http://a:1 http://b:2]",
		"":                          "",
		" , ":                       "",
		"http://":                   "",
		":port":                     "",
		"http://10.0.0.1:x":         "",
		"http://a:1,http://[::1:23": "",
	} {
		t.Run(given, func(t *testing.T) {
			urls, err := ParseEndpoints(given)
			if got := fmt.Sprint(urls); (err == nil) != (want != "") || err == nil && got != want {
				t.Errorf("got %s, %v, want %q", got, err, want)
			}
		})
	}
}
