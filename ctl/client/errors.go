package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"pando/tree"
)

// ErrUnpublished is returned by Sync if the members publish no client URL.
var ErrUnpublished = errors.New("client: no endpoints available")

// The errors for responses that no member sends. The texts are those of the legacy client.
var (
	errInvalidJSON      = errors.New("client: response is invalid json. The endpoint is probably not valid etcd cluster endpoint")
	errEmptyBody        = errors.New("client: response body is empty")
	errTooManyRedirects = errors.New("client: too many redirects")
	errNoLocation       = errors.New("location header not set")
)

// APIError is the error in a response of /v2/keys.
type APIError struct {
	Code    tree.Code `json:"errorCode"`
	Message string    `json:"message"`
	Cause   string    `json:"cause"`
	Index   uint64    `json:"index"` // the index of the store at that time
}

func (e *APIError) Error() string {
	return fmt.Sprintf("%d: %s (%s) [%d]", e.Code, e.Message, e.Cause, e.Index)
}

// parseAPIError decodes the body of an error response.
func parseAPIError(status int, body []byte) error {
	e := &APIError{}
	if err := json.Unmarshal(body, e); err != nil {
		return errInvalidJSON
	}
	if e.Code == 0 && e.Message != "" { // the refusal of a layer before the API of keys, such as a limit
		return &StatusError{Status: status, text: e.Message}
	}
	return e
}

// HasCode reports whether err is or wraps an APIError with this code.
func HasCode(err error, code tree.Code) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.Code == code
}

// StatusError is the error for a request that a member refused without an error code of the API of keys.
type StatusError struct {
	Status int // of the response
	text   string
}

func (e *StatusError) Error() string { return e.text }

// ClusterError is returned if no member has responded to a request.
type ClusterError struct {
	Errs []error // one for each member, in the order of the requests
}

func (e *ClusterError) Error() string {
	s := "client: etcd cluster is unavailable or misconfigured"
	for i, err := range e.Errs {
		s += fmt.Sprintf("; error #%d: %v\n", i, err)
	}
	return s
}

// Detail lists the errors, one on each line.
func (e *ClusterError) Detail() string {
	var b strings.Builder
	for i, err := range e.Errs {
		fmt.Fprintf(&b, "error #%d: %v\n", i, err)
	}
	return b.String()
}

// Unconnected reports whether no member has accepted a connection.
func (e *ClusterError) Unconnected() bool {
	for _, err := range e.Errs {
		op, ok := errors.AsType[*net.OpError](err)
		if !ok || op.Op != "dial" {
			return false
		}
	}
	return true
}

// IsUnavailable reports whether err is or wraps a ClusterError. The same operation may succeed later.
func IsUnavailable(err error) bool {
	_, unavailable := errors.AsType[*ClusterError](err)
	return unavailable
}

// OneLine returns the text of err without line breaks. For a ClusterError it returns only the error of the last member.
func OneLine(err error) string {
	if cluster, ok := errors.AsType[*ClusterError](err); ok && len(cluster.Errs) > 0 {
		err = cluster.Errs[len(cluster.Errs)-1]
	}
	return strings.ReplaceAll(err.Error(), "\n", " ")
}

// headerTimeoutError is the error for a member that exceeds Config.HeaderTimeout.
type headerTimeoutError struct{ endpoint *url.URL }

func (e *headerTimeoutError) Error() string {
	return fmt.Sprintf("client: endpoint %s exceeded header timeout", e.endpoint)
}

// stalledError is the error for a member that exceeds Config.BodyTimeout.
type stalledError struct {
	endpoint *url.URL
	limit    time.Duration
}

func (e *stalledError) Error() string {
	return fmt.Sprintf("client: endpoint %s sent nothing for %s in the middle of its answer", e.endpoint, e.limit)
}

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
