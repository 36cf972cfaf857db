package bench

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
)

// fillConns is the least number of connections that write the keys before a load that reads.
const fillConns = 16

// A getMode is the consistency of a read.
type getMode string

// The queries of the two kinds of GET.
const (
	plainGet  getMode = ""             // from the member that is asked, which may lag behind
	quorumGet getMode = "?quorum=true" // linearizable
)

// A putLoad writes values to keys.
type putLoad struct {
	space keySpace
	value string
}

func (l putLoad) classes() []string                                { return []string{"put"} }
func (l putLoad) prepare(context.Context, *options, *target) error { return nil }
func (l putLoad) newClient(ep *endpoint, n int) loadClient {
	return &putClient{
		request: newKeyRequest(ep, l.space, "PUT", "", "value="+l.value),
		picker:  newPicker(l.space, n),
	}
}

type putClient struct {
	request *keyRequest
	picker  picker
}

func (p *putClient) do(c *conn, op uint64) outcome {
	resp, err := c.roundTrip(p.request.at(p.picker.key(op)))
	return outcome{ok: resp.status == 200 || resp.status == 201, status: resp.status, body: resp.body, err: err}
}

// A getLoad reads single keys.
type getLoad struct {
	space keySpace
	value string
	mode  getMode
}

func (l getLoad) classes() []string { return []string{"get"} }

func (l getLoad) prepare(ctx context.Context, o *options, t *target) error {
	return fill(ctx, o, t, l.space, l.value)
}

func (l getLoad) newClient(ep *endpoint, n int) loadClient {
	return &getClient{request: newKeyRequest(ep, l.space, "GET", string(l.mode), ""), picker: newPicker(l.space, n)}
}

type getClient struct {
	request *keyRequest
	picker  picker
}

func (g *getClient) do(c *conn, op uint64) outcome {
	resp, err := c.roundTrip(g.request.at(g.picker.key(op)))
	return outcome{ok: resp.status == 200, status: resp.status, body: resp.body, err: err}
}

// A mixedLoad reads and writes the same keys.
type mixedLoad struct {
	get   getLoad
	put   putLoad
	reads float64 // share of the operations, 0 to 1
}

func (l mixedLoad) classes() []string { return []string{"get", "put"} }

func (l mixedLoad) prepare(ctx context.Context, o *options, t *target) error {
	return l.get.prepare(ctx, o, t)
}

func (l mixedLoad) newClient(ep *endpoint, n int) loadClient {
	return &mixedClient{
		get: l.get.newClient(ep, n), put: l.put.newClient(ep, n), reads: l.reads,
		random: rand.New(rand.NewPCG(3, uint64(n))),
	}
}

type mixedClient struct {
	get, put loadClient
	reads    float64
	random   *rand.Rand
}

func (m *mixedClient) do(c *conn, op uint64) outcome {
	if m.random.Float64() < m.reads {
		return m.get.do(c, op)
	}
	out := m.put.do(c, op)
	out.class = 1
	return out
}

// A listLoad reads a whole directory, recursive and sorted. The sizes are in the name of the directory, so that runs with different
// sizes don't read each other's keys.
type listLoad struct {
	space keySpace
	value string
}

func newListLoad(space keySpace, value string) listLoad {
	space.prefix += "/list-" + strconv.FormatUint(space.count, 10) + "x" + strconv.Itoa(space.size) + "x" + strconv.Itoa(len(value))
	return listLoad{space: space, value: value}
}

func (l listLoad) classes() []string { return []string{"list"} }

func (l listLoad) uri() string {
	return "/v2/keys" + (&url.URL{Path: l.space.prefix}).EscapedPath() + "?recursive=true&sorted=true"
}

// prepare writes the keys, and checks that a listing has all of them.
func (l listLoad) prepare(ctx context.Context, o *options, t *target) error {
	if err := fill(ctx, o, t, l.space, l.value); err != nil {
		return err
	}
	ep := t.endpoint(0)
	c := newConn(ep, o.timeout, requestBuffer)
	defer c.close()
	resp, err := c.roundTrip(appendRequest(nil, ep, "GET", l.uri(), ""))
	if err != nil {
		return fmt.Errorf("list %s%s: %w", ep.url, l.uri(), err)
	}
	got := bytes.Count(resp.body, []byte(`"value":`))
	if resp.status != 200 || uint64(got) != l.space.count {
		return fmt.Errorf("%w: %s%s answers HTTP %d with %d keys, not %d; delete the directory %s or choose another --prefix",
			errTarget, ep.url, l.uri(), resp.status, got, l.space.count, l.space.prefix)
	}
	return nil
}

func (l listLoad) newClient(ep *endpoint, _ int) loadClient {
	return &listClient{request: appendRequest(nil, ep, "GET", l.uri(), "")}
}

type listClient struct{ request []byte }

func (l *listClient) do(c *conn, _ uint64) outcome {
	resp, err := c.roundTrip(l.request)
	return outcome{ok: resp.status == 200, status: resp.status, body: resp.body, err: err}
}

// fill writes every key of space once, unless --skip-prepare is given.
func fill(ctx context.Context, o *options, t *target, space keySpace, value string) error {
	if o.skipPrepare {
		return nil
	}
	space.order = sequentialKeys
	load := putLoad{space: space, value: value}
	links, err := dialAll(ctx, t, max(o.conns, fillConns), o.timeout)
	if err != nil {
		return err
	}
	defer closeAll(links)
	rec := newRecorder(load.classes())
	drive(ctx, phase{total: space.count}, newWorkers(load, links, len(links)), rec, o.observer("prepare "+t.String()))
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("writing the keys to read: %w", err)
	}
	for _, e := range rec.errors {
		return fmt.Errorf("%w: writing the keys to read: %d of %d failed: %s: %s", errTarget, rec.failures(), space.count, e.Kind, e.First)
	}
	return nil
}
