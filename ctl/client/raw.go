package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// GetRaw returns the stored bytes of the value of key, and its modifiedIndex. JSON can't carry bytes that are not UTF-8. ok is false if the
// server can't send bytes, as etcd.
func (c *Client) GetRaw(ctx context.Context, key string) (value string, modified uint64, ok bool, err error) {
	query := url.Values{"quorum": {"true"}, "raw": {"true"}}
	a, err := c.send(ctx, &request{method: http.MethodGet, path: keyPath(key), query: query})
	if err != nil {
		return "", 0, false, err
	}
	if a.status != http.StatusOK {
		return "", 0, false, parseAPIError(a.status, a.body)
	}
	modified, err = strconv.ParseUint(strings.Trim(a.header.Get("Etag"), `"`), 10, 64)
	if err != nil || strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		return "", 0, false, nil
	}
	return string(a.body), modified, true, nil
}
