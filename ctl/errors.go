package ctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
)

// Errors of the client itself, worded as the legacy client words them.
var (
	errNoEndpoints      = errors.New("client: no endpoints available")
	errInvalidJSON      = errors.New("client: response is invalid json. The endpoint is probably not valid etcd cluster endpoint")
	errEmptyBody        = errors.New("client: response body is empty")
	errTooManyRedirects = errors.New("client: too many redirects")
	errNoLocation       = errors.New("location header not set")
)

// codeHistoryCleared is the errorCode of a watch from before the server's history.
const codeHistoryCleared = 401

// codeKeyNotFound is the errorCode of a missing key.
const codeKeyNotFound = 100

// apiError is the JSON body of a refused request to /v2/keys.
type apiError struct {
	Code    int    `json:"errorCode"`
	Message string `json:"message"`
	Cause   string `json:"cause"`
	Index   uint64 `json:"index"`
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%d: %s (%s) [%d]", e.Code, e.Message, e.Cause, e.Index)
}

// parseError reads the body of a refused request.
func parseError(body []byte) error {
	e := &apiError{}
	if err := json.Unmarshal(body, e); err != nil {
		return errInvalidJSON
	}
	return e
}

// hasCode says whether the server refused with errorCode code.
func hasCode(err error, code int) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.Code == code
}

// clusterError says that none of the endpoints that were tried gave an answer. errs are in the order of trying.
type clusterError struct{ errs []error }

func (e *clusterError) Error() string {
	s := "client: etcd cluster is unavailable or misconfigured"
	for i, err := range e.errs {
		s += fmt.Sprintf("; error #%d: %v\n", i, err)
	}
	return s
}

// detail lists the errors one per line.
func (e *clusterError) detail() string {
	var b strings.Builder
	for i, err := range e.errs {
		fmt.Fprintf(&b, "error #%d: %v\n", i, err)
	}
	return b.String()
}

// unconnected says whether no endpoint could even be connected to.
func (e *clusterError) unconnected() bool {
	for _, err := range e.errs {
		op, ok := errors.AsType[*net.OpError](err)
		if !ok || op.Op != "dial" {
			return false
		}
	}
	return true
}

// failWith ends a command with err in the legacy client's form.
func failWith(code int, err error) error {
	text := fmt.Sprintf("Error:  %v\n", err)
	if cluster, ok := errors.AsType[*clusterError](err); ok {
		text += cluster.detail() + "\n"
	}
	return &failure{code, text, err}
}

// serverFailure ends a command whose request failed.
func serverFailure(err error) error { return failWith(exitServer, err) }

// badArguments ends a command that lacks something.
func badArguments(text string) error {
	return failWith(exitBadArguments, errors.New(text))
}

// bareFailure ends a command with the error alone on a line, as the member commands do.
func bareFailure(err error) error {
	return &failure{exitBadArguments, err.Error() + "\n", err}
}
