package members

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// tokenTimeout is for a request that the service can answer at once.
	tokenTimeout = 10 * time.Second
	// longPoll is the longest wait of one request for another member, so that a lost
	// connection is noticed.
	longPoll = 3 * time.Minute

	codeKeyNotFound    = 100
	codeNodeExists     = 105
	codeHistoryCleared = 401
)

// token is the content of a discovery URL at one moment.
type token struct {
	size  int
	nodes []tokenNode // the registered members, in the order of registration
	index uint64      // of the keys API
}

// tokenNode is the key of one member.
type tokenNode struct {
	Key          string `json:"key"`
	Value        string `json:"value"`
	Dir          bool   `json:"dir"`
	CreatedIndex uint64 `json:"createdIndex"`
}

func (n tokenNode) id() string { return path.Base(n.Key) }

// tokenAnswer is the body of an answer of the keys API, success or error.
type tokenAnswer struct {
	Node struct {
		Value string      `json:"value"`
		Nodes []tokenNode `json:"nodes"`
	} `json:"node"`
	ErrorCode int    `json:"errorCode"`
	Message   string `json:"message"`
	Cause     string `json:"cause"`

	index uint64
}

// temporaryError is an error after which the request is repeated.
type temporaryError struct{ err error }

func (e *temporaryError) Error() string { return e.err.Error() }
func (e *temporaryError) Unwrap() error { return e.err }

// refusedError is an error in an answer of the keys API.
type refusedError struct {
	code int
	text string
}

func (e *refusedError) Error() string { return e.text }

// read reads the size of the cluster and the registered members.
func (d Discovery) read(ctx context.Context) (token, error) {
	var t token
	err := d.retry(ctx, func(ctx context.Context) error {
		answer, err := d.ask(ctx, tokenTimeout, http.MethodGet, "/_config/size", nil, nil)
		if err != nil {
			return d.explain(err)
		}
		size, err := strconv.Atoi(answer.Node.Value)
		if err != nil || size < 1 {
			return fmt.Errorf("%w: _config/size is %q at %s; begin anew with a discovery URL whose _config/size is the number of members",
				ErrNoSize, answer.Node.Value, redact(d.URL))
		}
		t, err = d.list(ctx, size)
		return err
	})
	return t, err
}

// explain turns the error for a missing key into ErrNoSize.
func (d Discovery) explain(err error) error {
	var refused *refusedError
	if errors.As(err, &refused) && refused.code == codeKeyNotFound {
		return fmt.Errorf("%w: %s does not exist; create it first: curl -X PUT %s/_config/size -d value=3",
			ErrNoSize, redact(d.URL), redact(d.URL))
	}
	return err
}

// list reads the registered members.
func (d Discovery) list(ctx context.Context, size int) (token, error) {
	answer, err := d.ask(ctx, tokenTimeout, http.MethodGet, "", nil, nil)
	if err != nil {
		return token{}, d.explain(err)
	}
	t := token{size: size, index: answer.index}
	for _, n := range answer.Node.Nodes {
		if !n.Dir && !strings.HasPrefix(n.id(), "_") {
			t.nodes = append(t.nodes, n)
		}
	}
	slices.SortFunc(t.nodes, func(a, b tokenNode) int {
		return cmp.Or(cmp.Compare(a.CreatedIndex, b.CreatedIndex), cmp.Compare(a.Key, b.Key))
	})
	return t, nil
}

// wait returns a newer token than t. It returns at once if members have registered since
// t, or else after one registers or a long poll ends.
func (d Discovery) wait(ctx context.Context, t token) (token, error) {
	err := d.retry(ctx, func(ctx context.Context) (err error) {
		now, err := d.list(ctx, t.size)
		if err != nil || len(now.nodes) >= now.size || len(now.nodes) > len(t.nodes) {
			t = now
			return err
		}
		if d.Waiting != nil {
			d.Waiting(len(now.nodes), now.size)
		}
		query := url.Values{"wait": {"true"}, "recursive": {"true"}}
		if now.index > 0 {
			query.Set("waitIndex", strconv.FormatUint(now.index+1, 10))
		}
		_, err = d.ask(ctx, longPoll, http.MethodGet, "", query, nil)
		var refused *refusedError
		if errors.As(err, &refused) && refused.code == codeHistoryCleared || (errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil) {
			err = nil // events are missing from the history, or there was none: list again
		}
		if err != nil {
			return err
		}
		t, err = d.list(ctx, t.size)
		return err
	})
	return t, err
}

// create creates the key of this member. It returns false if there is one.
func (d Discovery) create(ctx context.Context, id ID, value string) (created bool, err error) {
	err = d.retry(ctx, func(ctx context.Context) error {
		_, err := d.ask(ctx, tokenTimeout, http.MethodPut, "/"+id.String(), url.Values{"prevExist": {"false"}}, url.Values{"value": {value}})
		var refused *refusedError
		if errors.As(err, &refused) && refused.code == codeNodeExists {
			return nil
		}
		created = err == nil
		return err
	})
	return created, err
}

// ask sends one request to the keys API. Its error is a temporaryError for an error of the
// network or of the service itself, or a refusedError for an error of the API.
func (d Discovery) ask(ctx context.Context, limit time.Duration, method, key string, query, form url.Values) (*tokenAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	u, err := url.Parse(d.URL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("--discovery: %q is not a URL; write it as http://HOST:PORT/v2/keys/TOKEN", d.URL)
	}
	u = u.JoinPath(key)
	u.RawQuery = query.Encode()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("--discovery: %w", err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := d.Client.Do(req)
	if err != nil {
		return nil, &temporaryError{err}
	}
	defer func() { _ = resp.Body.Close() }() // the body was read; an error does not matter
	return readTokenAnswer(resp, u)
}

func readTokenAnswer(resp *http.Response, u *url.URL) (*tokenAnswer, error) {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &temporaryError{err}
	}
	answer := &tokenAnswer{}
	if len(text) > 0 { // the answer to a wait may be empty
		err = json.Unmarshal(text, answer)
	}
	switch {
	case resp.StatusCode >= http.StatusInternalServerError:
		return nil, &temporaryError{fmt.Errorf("%s answers %s", u.Redacted(), resp.Status)}
	case err != nil, resp.StatusCode >= http.StatusMultipleChoices && answer.ErrorCode == 0,
		resp.StatusCode >= http.StatusMultipleChoices && resp.StatusCode < http.StatusBadRequest:
		return nil, fmt.Errorf("%s answers %s, and not as a v2 keys API does; check the discovery URL", u.Redacted(), resp.Status)
	case answer.ErrorCode != 0:
		text := fmt.Sprintf("%s answers %d: %s (%s)", u.Redacted(), answer.ErrorCode, answer.Message, answer.Cause)
		return nil, &refusedError{answer.ErrorCode, text}
	}
	answer.index, _ = strconv.ParseUint(resp.Header.Get("X-Etcd-Index"), 10, 64) // if it is missing, the wait begins at the current index
	return answer, nil
}

// redact hides the password of a URL.
func redact(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	return u.Redacted()
}
