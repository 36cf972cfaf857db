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
	// requestTimeout is for a request that the service can answer at once.
	requestTimeout = 10 * time.Second
	// longPollTimeout bounds one long poll for further members, so that a lost connection is
	// noticed.
	longPollTimeout = 3 * time.Minute

	codeKeyNotFound    = 100
	codeNodeExists     = 105
	codeHistoryCleared = 401
)

// discoveryState is the content of a discovery URL at one moment.
type discoveryState struct {
	size  int
	nodes []registration // the registered members, in the order of registration
	index uint64         // of the keys API
}

// registration is the key that one member has created.
type registration struct {
	Key          string `json:"key"`
	Value        string `json:"value"`
	Dir          bool   `json:"dir"`
	CreatedIndex uint64 `json:"createdIndex"`
}

func (n registration) id() string { return path.Base(n.Key) }

// keysAnswer is the body of an answer of the keys API, success or error.
type keysAnswer struct {
	Node struct {
		Value string         `json:"value"`
		Nodes []registration `json:"nodes"`
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

// refusedError is an error that the keys API answered.
type refusedError struct {
	code int
	text string
}

func (e *refusedError) Error() string { return e.text }

// read reads the size of the cluster and the registered members.
func (d Discovery) read(ctx context.Context) (discoveryState, error) {
	var s discoveryState
	err := d.retry(ctx, func(ctx context.Context) error {
		answer, err := d.ask(ctx, requestTimeout, http.MethodGet, "/_config/size", nil, nil)
		if err != nil {
			return d.noSizeIfMissing(err)
		}
		size, err := strconv.Atoi(answer.Node.Value)
		if err != nil || size < 1 {
			return fmt.Errorf("%w: _config/size is %q at %s; begin anew with a discovery URL whose _config/size is the number of members",
				ErrNoSize, answer.Node.Value, redact(d.URL))
		}
		s, err = d.list(ctx, size)
		return err
	})
	return s, err
}

// noSizeIfMissing returns ErrNoSize in place of an error for a missing key, and any other error unchanged.
func (d Discovery) noSizeIfMissing(err error) error {
	var refused *refusedError
	if errors.As(err, &refused) && refused.code == codeKeyNotFound {
		return fmt.Errorf("%w: %s does not exist; create it first: curl -X PUT %s/_config/size -d value=3",
			ErrNoSize, redact(d.URL), redact(d.URL))
	}
	return err
}

// list reads the registered members.
func (d Discovery) list(ctx context.Context, size int) (discoveryState, error) {
	answer, err := d.ask(ctx, requestTimeout, http.MethodGet, "", nil, nil)
	if err != nil {
		return discoveryState{}, d.noSizeIfMissing(err)
	}
	s := discoveryState{size: size, index: answer.index}
	for _, n := range answer.Node.Nodes {
		if !n.Dir && !strings.HasPrefix(n.id(), "_") {
			s.nodes = append(s.nodes, n)
		}
	}
	slices.SortFunc(s.nodes, func(a, b registration) int {
		return cmp.Or(cmp.Compare(a.CreatedIndex, b.CreatedIndex), cmp.Compare(a.Key, b.Key))
	})
	return s, nil
}

// wait returns a newer state than s. It returns at once if members have registered since s
// was read. Otherwise it returns after one registers or a long poll ends.
func (d Discovery) wait(ctx context.Context, s discoveryState) (discoveryState, error) {
	err := d.retry(ctx, func(ctx context.Context) (err error) {
		now, err := d.list(ctx, s.size)
		if err != nil || len(now.nodes) >= now.size || len(now.nodes) > len(s.nodes) {
			s = now
			return err
		}
		if d.Waiting != nil {
			d.Waiting(len(now.nodes), now.size)
		}
		query := url.Values{"wait": {"true"}, "recursive": {"true"}}
		if now.index > 0 {
			query.Set("waitIndex", strconv.FormatUint(now.index+1, 10))
		}
		_, err = d.ask(ctx, longPollTimeout, http.MethodGet, "", query, nil)
		var refused *refusedError
		if errors.As(err, &refused) && refused.code == codeHistoryCleared || (errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil) {
			err = nil // events are missing from the history, or there was none: list again
		}
		if err != nil {
			return err
		}
		s, err = d.list(ctx, s.size)
		return err
	})
	return s, err
}

// create creates the key of this member. It returns false if the key exists.
func (d Discovery) create(ctx context.Context, id ID, value string) (created bool, err error) {
	err = d.retry(ctx, func(ctx context.Context) error {
		_, err := d.ask(ctx, requestTimeout, http.MethodPut, "/"+id.String(), url.Values{"prevExist": {"false"}}, url.Values{"value": {value}})
		var refused *refusedError
		if errors.As(err, &refused) && refused.code == codeNodeExists {
			return nil
		}
		created = err == nil
		return err
	})
	return created, err
}

// ask sends one request to the keys API. It returns a temporaryError after an error of the
// network or of the service itself, and a refusedError if the API answers with an error.
func (d Discovery) ask(ctx context.Context, limit time.Duration, method, key string, query, form url.Values) (*keysAnswer, error) {
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
	return readKeysAnswer(resp, u)
}

func readKeysAnswer(resp *http.Response, u *url.URL) (*keysAnswer, error) {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &temporaryError{err}
	}
	answer := &keysAnswer{}
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
	answer.index, _ = strconv.ParseUint(resp.Header.Get("X-Etcd-Index"), 10, 64) // 0 if missing: the wait then begins at the current index
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
