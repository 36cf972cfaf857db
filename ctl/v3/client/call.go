package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// retryPause is the mean pause before a call is repeated.
const retryPause = 50 * time.Millisecond

// reading has the calls that change nothing, by the last part of their names.
var reading = map[string]bool{
	"Range": true, "LeaseTimeToLive": true, "LeaseLeases": true, "MemberList": true, "Status": true, "Hash": true, "HashKV": true,
	"AuthStatus": true, "Authenticate": true, "UserGet": true, "UserList": true, "RoleGet": true, "RoleList": true,
}

// callUnary makes a call: it adds the token, and repeats the call where that can't change the outcome.
func (c *Client) callUnary(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker,
	options ...grpc.CallOption) error {
	login := path.Base(method) == "Authenticate"
	renewed := false
	for {
		calling := ctx
		if !login {
			var err error
			if calling, err = c.token.add(ctx); err != nil {
				return err
			}
		}
		began := time.Now()
		err := Error(ctx, invoke(calling, method, request, reply, conn, options...))
		c.debug(method, began, err)
		switch {
		case err == nil:
			return nil
		case !login && !renewed && c.token.expired(err):
			renewed = true
		case !reading[path.Base(method)] || !unavailable(err) || !pause(ctx, retryPause):
			return err
		}
	}
}

// debug writes a line about a call to Config.Debug.
func (c *Client) debug(method string, began time.Time, err error) {
	if c.config.Debug == nil {
		return
	}
	outcome := "ok"
	if err != nil {
		outcome = err.Error()
	}
	fmt.Fprintf(c.config.Debug, "call %s took %v: %s\n", method, time.Since(began).Round(time.Microsecond), outcome)
}

// openStream opens a stream with the token.
func (c *Client) openStream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer,
	options ...grpc.CallOption) (grpc.ClientStream, error) {
	calling, err := c.token.add(ctx)
	if err != nil {
		return nil, err
	}
	stream, err := open(calling, desc, conn, method, options...)
	return stream, Error(ctx, err)
}

// unavailable reports whether another attempt, maybe at another member, can succeed soon.
func unavailable(err error) bool {
	if e, ok := err.(rpctypes.EtcdError); ok {
		return e.Code() == codes.Unavailable
	}
	return status.Code(err) == codes.Unavailable
}

// pause waits for about d. It reports false if ctx is done first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d/2 + rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// RequireLeader returns a context whose streams end with an error while the member has no leader.
func RequireLeader(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, rpctypes.MetadataRequireLeaderKey, rpctypes.MetadataHasLeader)
}
