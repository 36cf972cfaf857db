package v3

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	v2client "pando/ctl/client"
	"pando/ctl/v3/client"
)

// How a mirror reads and writes.
const (
	mirrorPage    = 1000             // keys of one read
	mirrorReport  = 30 * time.Second // between the lines with the number of keys
	defaultTxnOps = 128              // of one transaction; the limit of a server
)

// mirrorOptions are the flags of make-mirror.
type mirrorOptions struct {
	prefix, destPrefix string
	noDestPrefix       bool
	revision           int64
	maxOps             uint
	tls                v2client.TLSFiles
	user, password     string
	insecure           bool
}

func (o *mirrorOptions) flags() []cli.Flag {
	text := func(to *string, name, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Destination: to, Usage: usage}
	}
	return []cli.Flag{
		text(&o.prefix, "prefix", "copy only keys that begin with this"),
		text(&o.destPrefix, "dest-prefix", "let the copies begin with this, in place of --prefix"),
		boolFlag(&o.noDestPrefix, "no-dest-prefix", "leave --prefix out of the copies' keys"),
		&cli.Int64Flag{Name: "rev", Destination: &o.revision, DefaultText: "copy all keys first",
			Usage: "begin with the changes after this revision, after an earlier mirror"},
		&cli.UintFlag{Name: "max-txn-ops", Destination: &o.maxOps, Value: defaultTxnOps, Usage: "most operations of one transaction"},
		text(&o.user, "dest-user", "`name[:password]` at the destination; asks for a missing password"),
		text(&o.password, "dest-password", "password of --dest-user, which then is the name alone"),
		text(&o.tls.CA, "dest-cacert", "`file` with the CAs to verify the destination with"),
		text(&o.tls.Cert, "dest-cert", "`file` with the certificate to identify with to the destination"),
		text(&o.tls.Key, "dest-key", "`file` with the key of that certificate"),
		&cli.BoolFlag{Name: "dest-insecure-transport", Destination: &o.insecure, Value: true,
			Usage: "HOST:PORT of the destination means a plain connection; with =false it means TLS"},
	}
}

func (p *program) makeMirrorCommand() *cli.Command {
	o := &mirrorOptions{}
	return p.command(&cli.Command{
		Name: "make-mirror", Usage: "copy keys to another cluster, and then their changes", ArgsUsage: "<endpoint of the destination>",
		Flags: o.flags(),
		Description: p.explain(`It runs until CTRL+C, and prints the number of keys that it has written every half a minute. The changes of
			one revision are one transaction, if they are no more than --max-txn-ops. Leases are not copied: a key whose lease ends is
			deleted at the destination at that time.`,
			`make-mirror 10.0.1.1:2379`, "copy everything",
			`make-mirror --prefix app/ --dest-prefix backup/app/ 10.0.1.1:2379`, "copy some keys to another place"),
		Action: func(c *cli.Context) error {
			switch {
			case c.NArg() != 1:
				return badArguments("make-mirror takes one destination argument")
			case o.noDestPrefix && o.destPrefix != "":
				return badArguments("`--dest-prefix` and `--no-dest-prefix` cannot be set at the same time, choose one")
			case o.maxOps < 1:
				return badArguments("--max-txn-ops is 1 or more")
			}
			return p.waiting(func(ctx context.Context, source *client.Client, c *cli.Context) error {
				to, err := p.destination(ctx, o, c.Args().First())
				if err != nil {
					return err
				}
				defer to.Close()
				m := &mirror{options: o, source: source, to: to}
				defer p.reportMirror(ctx, m)()
				return m.run(ctx)
			})(c)
		},
	})
}

// destination returns a client for the destination of a mirror.
func (p *program) destination(ctx context.Context, o *mirrorOptions, endpoint string) (*client.Client, error) {
	config, err := p.config(ctx)
	if err != nil {
		return nil, err
	}
	settings := p.globals
	settings.insecureTransport = o.insecure
	if config.TLS, err = settings.tlsConfig(o.tls); err != nil {
		return nil, &failure{exitBadArguments, err}
	}
	config.Endpoints, config.Token = []string{endpoint}, ""
	if config.User, config.Password, err = p.credentials(ctx, o.user, o.password); err != nil {
		return nil, err
	}
	return p.open(ctx, config)
}

// reportMirror prints the number of keys now and then, until the function that it returns is called.
func (p *program) reportMirror(ctx context.Context, m *mirror) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		ticks := time.NewTicker(mirrorReport)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
				fmt.Fprintln(p.stdout, m.written.Load())
			case <-ctx.Done():
				return
			}
		}
	}()
	return cancel
}

// mirror copies keys and their changes.
type mirror struct {
	options    *mirrorOptions
	source, to *client.Client
	written    atomic.Int64 // keys
}

// run copies until ctx is done or an error.
func (m *mirror) run(ctx context.Context) error {
	revision := m.options.revision
	if revision == 0 {
		var err error
		if revision, err = m.copyKeys(ctx); err != nil {
			return err
		}
	}
	w := m.source.NewWatcher(ctx)
	request := &pb.WatchCreateRequest{StartRevision: revision + 1}
	request.Key, request.RangeEnd = prefixRange(m.options.prefix)
	if _, err := w.Add(request); err != nil {
		return err
	}
	for {
		response, err := w.Next()
		if err != nil {
			return err
		}
		if response.Canceled {
			return fmt.Errorf("the watch was canceled (%s)", cancelReason(response.WatchResponse))
		}
		if err := m.copyEvents(ctx, response.Events); err != nil {
			return err
		}
	}
}

// copyKeys copies all keys as of one revision, and returns it.
func (m *mirror) copyKeys(ctx context.Context) (revision int64, err error) {
	request := &pb.RangeRequest{Limit: mirrorPage}
	request.Key, request.RangeEnd = prefixRange(m.options.prefix)
	for {
		page, err := m.source.KV.Range(ctx, request)
		if err != nil {
			return 0, err
		}
		if request.Revision == 0 {
			request.Revision = page.Header.Revision
		}
		for _, kv := range page.Kvs {
			if _, err := m.to.KV.Put(ctx, &pb.PutRequest{Key: m.key(kv.Key), Value: kv.Value}); err != nil {
				return 0, err
			}
			m.written.Add(1)
		}
		if !page.More {
			return request.Revision, nil
		}
		request.Key = append(page.Kvs[len(page.Kvs)-1].Key, 0)
	}
}

// copyEvents copies changes: those of one revision as one transaction, as far as --max-txn-ops allows.
func (m *mirror) copyEvents(ctx context.Context, events []*mvccpb.Event) error {
	for len(events) > 0 {
		n := 1
		for n < len(events) && n < int(m.options.maxOps) && events[n].Kv.ModRevision == events[0].Kv.ModRevision {
			n++
		}
		request := &pb.TxnRequest{}
		for _, event := range events[:n] {
			request.Success = append(request.Success, m.operation(event))
		}
		if _, err := m.to.KV.Txn(ctx, request); err != nil {
			return err
		}
		m.written.Add(int64(n))
		events = events[n:]
	}
	return nil
}

// operation returns the operation that makes a change at the destination.
func (m *mirror) operation(event *mvccpb.Event) *pb.RequestOp {
	key := m.key(event.Kv.Key)
	if event.Type == mvccpb.Event_DELETE {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: key}}}
	}
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: event.Kv.Value}}}
}

// key returns the key of a copy.
func (m *mirror) key(key []byte) []byte {
	o := m.options
	if o.noDestPrefix || o.destPrefix != "" {
		return []byte(o.destPrefix + strings.TrimPrefix(string(key), o.prefix))
	}
	return key
}
