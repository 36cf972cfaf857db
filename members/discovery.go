package members

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// Why a bootstrap by discovery fails for good.
var (
	// ErrFull says that as many members as the cluster shall have are there
	// without this one.
	ErrFull = errors.New("the discovered cluster is full")
	// ErrNoSize says that the token does not say how many members there will be.
	ErrNoSize = errors.New("the discovery URL has no usable size")
	// ErrRegistered says that this member had registered, and that the cluster
	// may have been founded since.
	ErrRegistered = errors.New("this member is registered already")
	// ErrDuplicateName says that two servers came with the same name.
	ErrDuplicateName = errors.New("two members have registered with the same name")
)

// FullError is an ErrFull with the members that are there: what a proxy needs.
type FullError struct {
	// Members are those of the cluster, in the order of their registration.
	Members []Member
}

func (e *FullError) Error() string { return ErrFull.Error() }

// Is makes it an ErrFull.
func (e *FullError) Is(target error) bool { return target == ErrFull }

// Discovery is a cluster whose members find each other under a key of any v2
// keys API: URL/_config/size says how many they are, and each creates
// URL/<member ID> with its name and peer URLs.
type Discovery struct {
	// URL is the token's key. It is the cluster token too, so all members have
	// to be given the same text.
	URL string
	// Name and PeerURLs are this member's (--name and
	// --initial-advertise-peer-urls). A proxy has neither.
	Name     string
	PeerURLs []string
	// Client sends the requests; it must not limit their time: some wait for
	// other members to come.
	Client *http.Client
	// Waiting is told how many of how many members are there when more are
	// waited for, and Retrying of a request that failed and will be repeated
	// after the pause. Both may be nil.
	Waiting  func(there, size int)
	Retrying func(err error, pause time.Duration)
	// MinPause and MaxPause bound the pause before a request is repeated, which
	// doubles from one to the other; 500 ms and 30 s if zero.
	MinPause, MaxPause time.Duration
}

// Join registers this member and returns the cluster when all its members are
// there. It waits for them, and for a service that does not answer, as long as
// ctx lasts. Other errors are for good: a FullError, or one that wraps one of
// the errors above.
func (d Discovery) Join(ctx context.Context) (Cluster, error) {
	own, err := ParseURLs(d.PeerURLs)
	if err != nil {
		return Cluster{}, fmt.Errorf("--initial-advertise-peer-urls: %w; write each as http://HOST:PORT", err)
	}
	self := NewBootstrapMember(d.Name, own, d.URL)
	t, err := d.look(ctx)
	if err != nil {
		return Cluster{}, err
	}
	if err := d.register(ctx, self, t); err != nil {
		return Cluster{}, err
	}
	// The service's answer of a moment ago may lack this registration still.
	for t.nodes = nil; len(t.nodes) < t.size; {
		if t, err = d.wait(ctx, t); err != nil {
			return Cluster{}, err
		}
	}
	c, err := d.cluster(t)
	if err != nil {
		return Cluster{}, err
	}
	if !slices.ContainsFunc(c.Members, func(m Member) bool { return m.ID == self.ID }) {
		return Cluster{}, &FullError{Members: c.Members}
	}
	c.Self = self.ID
	return c, nil
}

// Find returns the cluster without registering anything, when all its members
// are there; Self stays zero. It waits like Join.
func (d Discovery) Find(ctx context.Context) (Cluster, error) {
	t, err := d.look(ctx)
	if err != nil {
		return Cluster{}, err
	}
	for len(t.nodes) < t.size {
		if t, err = d.wait(ctx, t); err != nil {
			return Cluster{}, err
		}
	}
	return d.cluster(t)
}

// register creates this member's key, once.
func (d Discovery) register(ctx context.Context, self Member, t token) error {
	value := InitialCluster(self.Name, self.PeerURLs)
	at := slices.IndexFunc(t.nodes, func(n tokenNode) bool { return n.id() == self.ID.String() })
	if at < 0 && len(t.nodes) >= t.size {
		c, err := d.cluster(t)
		if err != nil {
			return err
		}
		return &FullError{Members: c.Members}
	}
	if at < 0 {
		created, err := d.create(ctx, self.ID, value)
		if err != nil || created {
			return err
		}
		// Another request of this member's was faster: one whose answer got lost.
		return d.checkOwn(ctx, self, value)
	}
	if t.nodes[at].Value != value {
		return d.taken(self, t.nodes[at].Value)
	}
	if len(t.nodes) >= t.size {
		return fmt.Errorf("%w as %s at %s, and the cluster has been complete since: its data is missing in the data directory. "+
			"Put the data back; or remove the member from the running cluster, add it again and start it with --initial-cluster and --initial-cluster-state existing; "+
			"or, if that cluster was never needed, delete the data of its members and begin anew with a new discovery URL", ErrRegistered, self.ID, redact(d.URL))
	}
	// It stopped while it waited: without all members no cluster was founded,
	// and it goes on waiting.
	return nil
}

// checkOwn makes sure that the key that is there is this member's.
func (d Discovery) checkOwn(ctx context.Context, self Member, value string) error {
	t, err := d.look(ctx)
	if err != nil {
		return err
	}
	for _, n := range t.nodes {
		if n.id() == self.ID.String() && n.Value != value {
			return d.taken(self, n.Value)
		}
	}
	return nil
}

func (d Discovery) taken(self Member, value string) error {
	return fmt.Errorf("%w: %s at %s is %q; give this member other --initial-advertise-peer-urls or its old --name", ErrRegistered, self.ID, redact(d.URL), value)
}

// cluster makes the cluster of the members that came first.
func (d Discovery) cluster(t token) (Cluster, error) {
	var c Cluster
	names := map[string]bool{}
	for _, n := range t.nodes[:t.size] {
		peerURLs, err := parseInitialCluster(n.Value)
		if err != nil || len(peerURLs) != 1 {
			return Cluster{}, fmt.Errorf("the registration %s of the discovery URL holds %q, which is not NAME=URL; begin anew with a new discovery URL", n.Key, n.Value)
		}
		for name, urls := range peerURLs {
			if names[name] {
				return Cluster{}, fmt.Errorf("%w, %s, at %s; give each member its own --name, delete their data and begin anew with a new discovery URL", ErrDuplicateName, name, redact(d.URL))
			}
			names[name] = true
			c.Members = append(c.Members, NewBootstrapMember(name, urls, d.URL))
		}
	}
	slices.SortFunc(c.Members, byID)
	c.ID = ClusterID(c.Members)
	return c, nil
}

// retry repeats a request until it succeeds, fails for good, or ctx ends.
func (d Discovery) retry(ctx context.Context, request func(context.Context) error) error {
	pause, longest := d.MinPause, d.MaxPause
	if pause <= 0 {
		pause = 500 * time.Millisecond
	}
	if longest <= 0 {
		longest = 30 * time.Second
	}
	for {
		err := request(ctx)
		var passing *passingError
		if !errors.As(err, &passing) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("discovery was given up: %w", ctx.Err())
		}
		// All members are started at once and would come back at once.
		wait := pause + rand.N(pause/4+1)
		if d.Retrying != nil {
			d.Retrying(err, wait)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("discovery was given up: %w", ctx.Err())
		case <-time.After(wait):
		}
		pause = min(2*pause, longest)
	}
}
