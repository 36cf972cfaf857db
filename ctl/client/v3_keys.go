package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// V3Only has the numbers of what a server has for clients of the v3 API alone.
type V3Only struct {
	Keys   int // keys that the v2 API does not show
	Leases int
}

// v3KeysPage is the number of keys in one response.
const v3KeysPage = 10_000

// FindV3Only asks a server of Pando for its leases and its keys of the v3 API. It counts the leases, and the keys for which v3Only returns
// true. ok is false if no server of Pando with the v3 API responds, or if the user of the client may not read all keys. In etcd the keys of
// the two APIs are separate, so FindV3Only does not count them.
func (c *Client) FindV3Only(ctx context.Context, v3Only func(key string) bool) (found V3Only, ok bool) {
	var version struct{ Pando string }
	a, err := c.send(ctx, &request{method: http.MethodGet, path: "/version"})
	if err != nil || a.decode(http.StatusOK, &version) != nil || version.Pando == "" {
		return found, false
	}
	token := c.v3Token(ctx)
	var leases struct{ Leases []json.RawMessage }
	if err := c.callV3(ctx, token, "/v3/lease/leases", struct{}{}, &leases); err != nil {
		return found, false
	}
	found.Leases = len(leases.Leases)
	for from := []byte{0}; ; {
		var page struct {
			KVs  []struct{ Key []byte }
			More bool
		}
		err := c.callV3(ctx, token, "/v3/kv/range", map[string]any{
			"key": from, "range_end": []byte{0}, "limit": v3KeysPage, "keys_only": true, "serializable": true,
		}, &page)
		if err != nil {
			return found, false
		}
		for _, kv := range page.KVs {
			if v3Only(string(kv.Key)) {
				found.Keys++
			}
		}
		if !page.More || len(page.KVs) == 0 {
			return found, true
		}
		from = append(page.KVs[len(page.KVs)-1].Key, 0)
	}
}

// v3Token returns a token of the v3 API for the user of the client. It is empty if the client has no user, or if the server gives none,
// which is no error while auth is disabled.
func (c *Client) v3Token(ctx context.Context) string {
	var login struct{ Token string }
	if c.config.User != "" {
		_ = c.callV3(ctx, "", "/v3/auth/authenticate", map[string]any{"name": c.config.User, "password": c.config.Password}, &login)
	}
	return login.Token
}

// callV3 calls a method of the v3 API that changes nothing, by its JSON gateway.
func (c *Client) callV3(ctx context.Context, token, path string, message, response any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("client: encode a request: %w", err)
	}
	a, err := c.send(ctx, &request{
		method: http.MethodPost, path: path, contentType: "application/json", body: string(body), shownBody: "{...}", token: token,
	})
	if err != nil {
		return err
	}
	return a.decode(http.StatusOK, response)
}
