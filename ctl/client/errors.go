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

// ErrUnpublished: the cluster answers, but its members publish no client URL.
var ErrUnpublished = errors.New("client: no endpoints available")

// Errors of answers that are not those of a member, worded as in the legacy client.
var (
	errInvalidJSON      = errors.New("client: response is invalid json. The endpoint is probably not valid etcd cluster endpoint")
	errEmptyBody        = errors.New("client: response body is empty")
	errTooManyRedirects = errors.New("client: too many redirects")
	errNoLocation       = errors.New("location header not set")
)

// APIError is the refusal of a request to /v2/keys.
type APIError struct {
	Code    tree.Code `json:"errorCode"`
	Message string    `json:"message"`
	Cause   string    `json:"cause"`
	Index   uint64    `json:"index"` // of the store when it refused
}

func (e *APIError) Error() string {
	return fmt.Sprintf("%d: %s (%s) [%d]", e.Code, e.Message, e.Cause, e.Index)
}

// parseAPIError reads the body of a refusal.
func parseAPIError(body []byte) error {
	e := &APIError{}
	if err := json.Unmarshal(body, e); err != nil {
		return errInvalidJSON
	}
	return e
}

// HasCode reports whether err is, or wraps, an APIError with a code.
func HasCode(err error, code tree.Code) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.Code == code
}

// ClusterError says that none of the members that were asked gave an answer.
type ClusterError struct {
	Errs []error // one for each member, in the order in which they were asked
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

// Unconnected reports whether no member took a connection.
func (e *ClusterError) Unconnected() bool {
	for _, err := range e.Errs {
		op, ok := errors.AsType[*net.OpError](err)
		if !ok || op.Op != "dial" {
			return false
		}
	}
	return true
}

// IsUnavailable reports whether err says that no member gave an answer. The same operation may succeed later.
func IsUnavailable(err error) bool {
	_, unavailable := errors.AsType[*ClusterError](err)
	return unavailable
}

// OneLine is the text of err without line breaks; of a ClusterError, that of the last member that was asked.
func OneLine(err error) string {
	if cluster, ok := errors.AsType[*ClusterError](err); ok && len(cluster.Errs) > 0 {
		err = cluster.Errs[len(cluster.Errs)-1]
	}
	return strings.ReplaceAll(err.Error(), "\n", " ")
}

// headerTimeoutError says that a member took too long to begin its answer.
type headerTimeoutError struct{ endpoint *url.URL }

func (e *headerTimeoutError) Error() string {
	return fmt.Sprintf("client: endpoint %s exceeded header timeout", e.endpoint)
}

// stalledError says that a member began its answer and then sent nothing more.
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
