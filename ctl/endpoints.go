package ctl

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/baseurl"
)

// endpointList returns the endpoints that the user gave: from DNS if a domain was named and has any, else from the
// flags and variables, the newer name of each before the older.
func (p *program) endpointList(c *cli.Context) ([]string, error) {
	if domain := setting(c, discoveryFlag); domain != "" {
		found, err := p.discover(c, domain)
		if err != nil {
			return nil, bareFailure(err)
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	for _, name := range []string{endpointsFlag, endpointFlag, peersFlag} {
		if v := setting(c, name); v != "" {
			return strings.Split(v, ","), nil
		}
	}
	return strings.Split(defaultEndpoints, ","), nil
}

// discover asks DNS for the endpoints of a domain. Plain-HTTP ones are dropped unless the user accepts them.
func (p *program) discover(c *cli.Context, domain string) ([]string, error) {
	secure, errSecure := lookupService(c.Context, "etcd-client-ssl", "https", domain)
	plain, errPlain := lookupService(c.Context, "etcd-client", "http", domain)
	if errSecure != nil && errPlain != nil {
		return nil, fmt.Errorf("dns lookup errors: %w and %w", errSecure, errPlain)
	}
	if c.Bool(insecureDiscoveryFlag) {
		return append(secure, plain...), nil
	}
	for _, e := range plain {
		fmt.Fprintf(p.stderr, "ignoring discovered insecure endpoint %q\n", e)
	}
	return secure, nil
}

func lookupService(ctx context.Context, service, scheme, domain string) ([]string, error) {
	_, records, err := net.DefaultResolver.LookupSRV(ctx, service, "tcp", domain)
	if err != nil {
		return nil, err
	}
	var endpoints []string
	for _, r := range records {
		endpoints = append(endpoints, scheme+"://"+net.JoinHostPort(r.Target, strconv.Itoa(int(r.Port))))
	}
	return endpoints, nil
}

// parseEndpoints parses and shuffles endpoints, so that clients spread over the members.
func parseEndpoints(endpoints []string) ([]*url.URL, error) {
	urls, err := baseurl.ParseList(endpoints)
	if err != nil {
		return nil, err
	}
	rand.Shuffle(len(urls), func(i, j int) { urls[i], urls[j] = urls[j], urls[i] })
	return urls, nil
}

// connect makes the client of a command and, unless the user forbade it, learns the members' URLs from the first
// endpoint that answers. When an endpoint answers, but not with a list of members, the given endpoints stay.
func (p *program) connect(c *cli.Context) (*client, error) {
	cl, err := p.newClient(c)
	if err != nil {
		if f, ok := errors.AsType[*failure](err); ok {
			return nil, f
		}
		return nil, bareFailure(err)
	}
	if !c.Bool(noSyncFlag) {
		if err := p.sync(c, cl); err != nil {
			return nil, err
		}
	}
	cl.debugf("Cluster-Endpoints: %s\n", strings.Join(cl.endpointNames(), ", "))
	return cl, nil
}

// sync replaces the client's endpoints by the URLs that the members publish.
func (p *program) sync(c *cli.Context, cl *client) error {
	given := strings.Join(cl.endpointNames(), ",")
	cl.debugf("start to sync cluster using endpoints(%s)\n", given)
	ctx, cancel := context.WithTimeout(c.Context, c.Duration(totalTimeoutFlag))
	defer cancel()
	members, err := cl.members(ctx)
	if c.Context.Err() != nil {
		return c.Context.Err()
	}
	if err != nil {
		cluster, isCluster := errors.AsType[*clusterError](err)
		if isCluster && cluster.unconnected() || ctx.Err() != nil {
			return failWith(exitBadConnection, err)
		}
	} else if err := cl.adopt(members); err != nil {
		return p.unpublished(given, err)
	}
	cl.debugf("got endpoints(%s) after sync\n", strings.Join(cl.endpointNames(), ","))
	return nil
}

// unpublished explains what to do about members that publish no URL.
func (p *program) unpublished(given string, err error) error {
	fmt.Fprintf(p.stderr, "etcd cluster has no published client endpoints.\n"+
		"Try '--no-sync' if you want to access non-published client endpoints(%s).\n", given)
	return failWith(exitServer, err)
}

// adopt makes the members' client URLs the client's endpoints. URLs that can't be parsed leave them as they were.
func (cl *client) adopt(members []member) error {
	var published []string
	for _, m := range members {
		published = append(published, m.ClientURLs...)
	}
	if len(published) == 0 {
		return errNoEndpoints
	}
	if urls, err := parseEndpoints(published); err == nil {
		cl.endpoints, cl.pinned = urls, 0
	}
	return nil
}

func (cl *client) endpointNames() []string {
	names := make([]string, len(cl.endpoints))
	for i, u := range cl.endpoints {
		names[i] = u.String()
	}
	return names
}
