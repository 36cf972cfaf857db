package client

import (
	"context"
	"errors"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/metadata"
)

// tokenSource has the token of the user. It logs in for the first call, and again after the server has refused a token.
type tokenSource struct {
	client *Client

	mu    sync.Mutex
	token string // empty: not logged in
	open  bool   // the cluster has auth disabled: no token is needed
}

// add returns ctx with the token, for a call.
func (t *tokenSource) add(ctx context.Context) (context.Context, error) {
	token, err := t.get(ctx)
	if err != nil || token == "" {
		return ctx, err
	}
	return metadata.AppendToOutgoingContext(ctx, rpctypes.TokenFieldNameGRPC, token), nil
}

// get returns the token, or an empty text if none is needed. It logs in if it has none.
func (t *tokenSource) get(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	config := &t.client.config
	if t.token != "" || t.open || config.User == "" {
		return t.token, nil
	}
	answer, err := t.client.Auth.Authenticate(ctx, &pb.AuthenticateRequest{Name: config.User, Password: config.Password})
	if errors.Is(err, rpctypes.ErrAuthNotEnabled) {
		t.open = true
		return "", nil
	}
	if err != nil {
		return "", err
	}
	t.token = answer.Token
	return t.token, nil
}

// expired forgets the token if err says that the server does not accept it any more. It reports whether a new login may help.
func (t *tokenSource) expired(err error) bool {
	if t.client.config.User == "" {
		return false
	}
	stale := errors.Is(err, rpctypes.ErrInvalidAuthToken) || errors.Is(err, rpctypes.ErrAuthOldRevision)
	t.mu.Lock()
	defer t.mu.Unlock()
	enabled := t.open && errors.Is(err, rpctypes.ErrUserEmpty) // auth was enabled after the first call
	if stale || enabled {
		t.token, t.open = "", false
	}
	return stale || enabled
}
