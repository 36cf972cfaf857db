package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"pando/ctl/client"
	"pando/tree"
)

// member answers as a member with the one key /message would.
func member(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v2/keys/message" {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"errorCode":100,"message":"Key not found","cause":"/none","index":7}`)
		return
	}
	fmt.Fprint(w, `{"action":"get","node":{"key":"/message","value":"hello","modifiedIndex":7,"createdIndex":7}}`)
}

func Example() {
	server := httptest.NewServer(http.HandlerFunc(member))
	defer server.Close()
	urls, err := client.ParseEndpoints(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	c := client.New(client.Config{Endpoints: urls, HeaderTimeout: 2 * time.Second})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	event, err := c.Get(ctx, "/message", client.GetOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.Node.Value)

	_, err = c.Get(ctx, "/none", client.GetOptions{})
	fmt.Println(client.HasCode(err, tree.CodeKeyNotFound), err)

	change, err := c.Watch("/message", client.WatchOptions{Index: 7}).Next(ctx)
	fmt.Println(change.Node.ModifiedIndex, err)

	// Output:
	// hello
	// true 100: Key not found (/none) [7]
	// 7 <nil>
}
