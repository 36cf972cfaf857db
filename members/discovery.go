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

// Errors of discovery for which a retry does not help.
var (
	// ErrFull: all members of the cluster have registered, without this one.
	ErrFull = errors.New("the discovered cluster is full")
	// ErrNoSize: the discovery URL does not say how many members the cluster has.
	ErrNoSize = errors.New("the discovery URL has no usable size")
	// ErrRegistered: this member has registered before, and the cluster may have started
	// since then.
	ErrRegistered = errors.New("this member is registered already")
	// ErrDuplicateName: two servers have registered with the same name.
	ErrDuplicateName = errors.New("two members have registered with the same name")
)

// FullError is an ErrFull with the members of the cluster. A proxy needs them.
type FullError struct {
	// Members are the members of the cluster, sorted by ID.
	Members []Member
}

func (e *FullError) Error() string { return ErrFull.Error() }

// Is reports whether target is ErrFull.
func (e *FullError) Is(target error) bool { return target == ErrFull }

// Discovery finds the first members of a cluster by a key of a v2 keys API:
// URL/_config/size holds their number, and each member creates URL/<member ID> with its
// name and peer URLs.
type Discovery struct {
	// URL is the key. It is also the cluster token, so all members must be given the same
	// text.
	URL string
	// Name and PeerURLs are those of this member (--name and
	// --initial-advertise-peer-urls). A proxy has neither.
	Name     string
	PeerURLs []string
	// Client sends the requests. It must have no timeout, because some requests wait for
	// other members.
	Client *http.Client
	// Waiting is called before a wait for further members, with the number of members that
	// have registered and the size of the cluster. Retrying is called after a request that
	// failed and will be repeated after the pause. Both may be nil.
	Waiting  func(registered, size int)
	Retrying func(err error, pause time.Duration)
	// MinPause is the first pause before a request is repeated, 500 ms if zero. Each
	// further pause is twice as long, up to MaxPause, 30 s if zero.
	MinPause, MaxPause time.Duration
}

// Join registers this member and returns the cluster after all its members have
// registered. It waits for them, and for a service that does not answer, until ctx ends.
// Any other error is final: a FullError, or one that wraps one of the errors above.
func (d Discovery) Join(ctx context.Context) (Cluster, error) {
	own, err := ParseURLs(d.PeerURLs)
	if err != nil {
		return Cluster{}, fmt.Errorf("--initial-advertise-peer-urls: %w; write each as http://HOST:PORT", err)
	}
	self := NewBootstrapMember(d.Name, own, d.URL)
	s, err := d.read(ctx)
	if err != nil {
		return Cluster{}, err
	}
	if err := d.register(ctx, self, s); err != nil {
		return Cluster{}, err
	}
	// s was read before this member registered, so its nodes are read again.
	for s.nodes = nil; len(s.nodes) < s.size; {
		if s, err = d.wait(ctx, s); err != nil {
			return Cluster{}, err
		}
	}
	c, err := d.cluster(s)
	if err != nil {
		return Cluster{}, err
	}
	if !slices.ContainsFunc(c.Members, func(m Member) bool { return m.ID == self.ID }) {
		return Cluster{}, &FullError{Members: c.Members}
	}
	c.Self = self.ID
	return c, nil
}

// Find returns the cluster after all its members have registered. It waits like Join, but
// registers nothing, and Self is zero.
func (d Discovery) Find(ctx context.Context) (Cluster, error) {
	s, err := d.read(ctx)
	if err != nil {
		return Cluster{}, err
	}
	for len(s.nodes) < s.size {
		if s, err = d.wait(ctx, s); err != nil {
			return Cluster{}, err
		}
	}
	return d.cluster(s)
}

// register creates the key of this member if there is none.
func (d Discovery) register(ctx context.Context, self Member, s discoveryState) error {
	value := InitialCluster(self.Name, self.PeerURLs)
	at := slices.IndexFunc(s.nodes, func(n registration) bool { return n.id() == self.ID.String() })
	if at < 0 && len(s.nodes) >= s.size {
		c, err := d.cluster(s)
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
		// The key exists: an earlier request of this member has created it, but the answer
		// was lost.
		return d.checkOwn(ctx, self, value)
	}
	if s.nodes[at].Value != value {
		return d.otherValueError(self, s.nodes[at].Value)
	}
	if len(s.nodes) >= s.size {
		return fmt.Errorf("%w as %s at %s, and the cluster has been complete since: its data is missing in the data directory. "+
			"Put the data back; or remove the member from the running cluster, add it again and start it with --initial-cluster "+
			"and --initial-cluster-state existing; or, if that cluster was never needed, delete the data of its members and "+
			"begin anew with a new discovery URL", ErrRegistered, self.ID, redact(d.URL))
	}
	// The member registered before, and stopped while it waited for others. Without all
	// members no cluster has started, so it waits again.
	return nil
}

// checkOwn checks that the key was created by this member.
func (d Discovery) checkOwn(ctx context.Context, self Member, value string) error {
	s, err := d.read(ctx)
	if err != nil {
		return err
	}
	for _, n := range s.nodes {
		if n.id() == self.ID.String() && n.Value != value {
			return d.otherValueError(self, n.Value)
		}
	}
	return nil
}

// otherValueError returns the error for a key of this member that has another value.
func (d Discovery) otherValueError(self Member, value string) error {
	return fmt.Errorf("%w: %s at %s is %q; give this member other --initial-advertise-peer-urls or its old --name",
		ErrRegistered, self.ID, redact(d.URL), value)
}

// cluster returns the cluster of the first s.size members that registered.
func (d Discovery) cluster(s discoveryState) (Cluster, error) {
	var c Cluster
	names := map[string]bool{}
	for _, n := range s.nodes[:s.size] {
		peerURLs, err := parseInitialCluster(n.Value)
		if err != nil || len(peerURLs) != 1 {
			return Cluster{}, fmt.Errorf("the registration %s of the discovery URL holds %q, which is not NAME=URL; "+
				"begin anew with a new discovery URL", n.Key, n.Value)
		}
		for name, urls := range peerURLs {
			if names[name] {
				return Cluster{}, fmt.Errorf("%w, %s, at %s; give each member its own --name, delete their data and "+
					"begin anew with a new discovery URL", ErrDuplicateName, name, redact(d.URL))
			}
			names[name] = true
			c.Members = append(c.Members, NewBootstrapMember(name, urls, d.URL))
		}
	}
	slices.SortFunc(c.Members, byID)
	c.ID = ClusterID(c.Members)
	return c, nil
}

// retry repeats a request until it succeeds, it fails with an error that is not temporary,
// or ctx ends.
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
		var temporary *temporaryError
		if !errors.As(err, &temporary) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("discovery was stopped: %w", ctx.Err())
		}
		// A random part is added, so that members that started at the same time do not retry
		// at the same time.
		wait := pause + rand.N(pause/4+1)
		if d.Retrying != nil {
			d.Retrying(err, wait)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("discovery was stopped: %w", ctx.Err())
		case <-time.After(wait):
		}
		pause = min(2*pause, longest)
	}
}
