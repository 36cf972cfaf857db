package bench

import (
	"bytes"
	"context"
	"strconv"
)

// lockTTL is the time to live of a lock, in seconds. It is longer than a lock is held, and removes the locks of a run that was killed.
const lockTTL = "60"

// A lockLoad takes and frees locks. Taking a lock creates a key that must not exist, with a TTL; freeing it deletes the key if it has
// the index of its creation. A client that finds the key there waits until it changes and tries again. One operation is taking and
// freeing a lock; its latency includes the wait.
type lockLoad struct {
	prefix string // the directory of all keys of the benchmark; the locks are in its subdirectory "locks"
	locks  int
}

func (l lockLoad) classes() []string                                { return []string{"lock"} }
func (l lockLoad) prepare(context.Context, *options, *target) error { return nil }

func (l lockLoad) newClient(ep *endpoint, n int) loadClient {
	space := keySpace{prefix: l.prefix + "/locks", size: 8, dirs: 1}
	uri := "/v2/keys" + space.path(uint64(n%l.locks))
	return &lockClient{
		endpoint: ep,
		uri:      uri,
		acquire:  appendRequest(nil, ep, "PUT", uri+"?prevExist=false", "ttl="+lockTTL+"&value="+strconv.Itoa(n)),
	}
}

type lockClient struct {
	endpoint *endpoint
	uri      string
	acquire  []byte
	uribuf   []byte // reused for the path and query that carry an index
	request  []byte // reused for the request that carries an index
}

func (l *lockClient) do(c *conn, _ uint64) outcome {
	for {
		resp, err := c.roundTrip(l.acquire)
		if err != nil {
			return outcome{err: err}
		}
		switch resp.status {
		case 201:
			index, _ := fieldAfter(resp.body, `"modifiedIndex":`)
			resp, err = c.roundTrip(l.build("DELETE", "?prevIndex=", index))
			return outcome{ok: resp.status == 200, status: resp.status, body: resp.body, err: err}
		case 412:
			index, _ := fieldAfter(resp.body, `"index":`)
			resp, err = c.roundTrip(l.build("GET", "?wait=true&waitIndex=", index+1))
			if err != nil {
				return outcome{err: err}
			}
			// 400: the server no longer has the event of this index, and the lock may be free.
			if resp.status != 200 && resp.status != 400 {
				return outcome{status: resp.status, body: resp.body}
			}
		default:
			return outcome{status: resp.status, body: resp.body}
		}
	}
}

// build makes a request on the lock's key with an index in its query.
func (l *lockClient) build(method, query string, index uint64) []byte {
	l.uribuf = append(append(l.uribuf[:0], l.uri...), query...)
	l.uribuf = strconv.AppendUint(l.uribuf, index, 10)
	l.request = appendRequest(l.request[:0], l.endpoint, method, l.uribuf, "")
	return l.request
}

// fieldAfter returns the number that follows the first occurrence of name in a JSON text.
func fieldAfter(body []byte, name string) (uint64, bool) {
	at := bytes.Index(body, []byte(name))
	if at < 0 {
		return 0, false
	}
	digits := body[at+len(name):]
	end := 0
	for end < len(digits) && '0' <= digits[end] && digits[end] <= '9' {
		end++
	}
	return parseDecimal(digits[:end])
}
