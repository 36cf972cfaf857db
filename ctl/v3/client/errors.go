package client

import (
	"context"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error returns the error of a call in its final form: an rpctypes.EtcdError for an error of the API, the error of ctx if ctx has ended
// the call, and otherwise err.
func Error(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	err = rpctypes.Error(err)
	if _, ok := err.(rpctypes.EtcdError); ok {
		return err
	}
	if code := status.Code(err); code == codes.DeadlineExceeded || code == codes.Canceled {
		if ctx.Err() != nil {
			return &contextError{ctx.Err(), connectionProblem(err)}
		}
	}
	return err
}

// contextError is the error of a call that its context has ended.
type contextError struct {
	err     error
	problem string
}

func (e *contextError) Error() string { return e.err.Error() }
func (e *contextError) Unwrap() error { return e.err }

// Problem returns what kept a call from a connection until its time was over, such as "dial tcp 127.0.0.1:2379: connect: connection
// refused". It is empty if the call was sent.
func Problem(err error) string {
	for err != nil {
		if e, ok := err.(*contextError); ok {
			return e.problem
		}
		wrapped, ok := err.(interface{ Unwrap() error })
		if !ok {
			break
		}
		err = wrapped.Unwrap()
	}
	return ""
}

// connectionProblem returns the last error of a connection in the text of a status of gRPC, which does not offer it otherwise.
func connectionProblem(err error) string {
	_, text, found := strings.Cut(status.Convert(err).Message(), "latest balancer error: ")
	if !found {
		return ""
	}
	if _, inner, found := strings.Cut(text, "desc = "); found {
		text = inner
	}
	text = strings.TrimPrefix(strings.Trim(text, `"`), "transport: ")
	return strings.TrimPrefix(text, "Error while dialing: ")
}
