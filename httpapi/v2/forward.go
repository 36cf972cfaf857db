package v2

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pando/httpapi/auth"
	"pando/httpapi/budget"
	"pando/httpapi/service"
	"pando/tree"
	"pando/tree/users"
)

// Source sends requests to the etcd that the cluster follows. Send is called from any goroutine.
type Source interface {
	// Send sends a request to one of the client URLs, whose scheme and host it puts into the URL of the request. It returns the response
	// when its header has arrived. The caller must close the body of the response. client is the host of the client. Send does not send a
	// write twice. After an error, inDoubt says that the request is a write that may be carried out.
	Send(r *http.Request, client string, urls []string) (resp *http.Response, inDoubt bool, err error)
}

// forwardChange forwards a command to the source, for which service.Propose has returned service.ErrFollowing. reserved is the reservation
// of the body of the request. If the source has answered, or after an error, forwardChange has written the response and returns
// nil and the error for the metrics. Otherwise the command was carried out here, and it returns the event.
func (a *API) forwardChange(
	w http.ResponseWriter, r *http.Request, q *request, c *tree.Command, reserved *budget.Reservation,
) (*tree.Event, error) {
	if q.conditions.severalTags() {
		return nil, a.writeError(w, errSeveralTags)
	}
	f := a.newForwarding(r, q.form)
	defer f.close()
	q.translate(f)
	event, forwarded, err := a.Service.ForwardChange(detached, auth.FromRequest(r), c, f.send)
	reserved.Release()
	switch {
	case err != nil:
		return nil, a.writeError(w, err)
	case forwarded:
		return nil, f.write(w)
	}
	return event, nil
}

// forwardGet is forwardChange for a read. If the node was read here, done is false.
func (a *API) forwardGet(w http.ResponseWriter, r *http.Request, path string, scope users.Scope) (read service.Read, done bool, err error) {
	f := a.newForwarding(r, "")
	defer f.close()
	read, forwarded, err := a.Service.ForwardGet(detached, auth.FromRequest(r), path, scope, f.send)
	switch {
	case err != nil:
		return read, true, a.writeError(w, err)
	case forwarded:
		return read, true, f.write(w)
	}
	return read, false, nil
}

// forwarding is a request for keys that is forwarded to the source, and the response of the source.
type forwarding struct {
	api    *API
	client string // the host of the client
	method string
	url    url.URL // without scheme and host
	header http.Header
	form   string // the body

	cancel context.CancelFunc // ends the exchange with the source; nil before send
	resp   *http.Response     // nil without a response
	err    *tree.Error        // the error in the response; nil after success
	body   []byte             // of a response with an error
}

// newForwarding makes the forwarding of a request with a form as its body. Only headers that matter to an etcd are forwarded.
func (a *API) newForwarding(r *http.Request, form string) *forwarding {
	f := &forwarding{
		api: a, client: r.RemoteAddr, method: r.Method, url: url.URL{Path: r.URL.Path, RawQuery: r.URL.RawQuery}, form: form,
		header: http.Header{},
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		f.client = host
	}
	for _, name := range []string{"Authorization", "Content-Type", "User-Agent"} {
		if values := r.Header[name]; len(values) > 0 {
			f.header[name] = values[:1] // the service authorizes by the first one, too
		}
	}
	f.header["X-Forwarded-For"] = slices.Concat(r.Header["X-Forwarded-For"], []string{f.client})
	f.header["Via"] = slices.Concat(r.Header["Via"], []string{a.via})
	return f
}

// send is the service.Send of the request.
func (f *forwarding) send(urls []string) (service.Answer, error) {
	if via := f.header["Via"]; slices.Contains(via[:len(via)-1], f.api.via) {
		return service.Answer{}, tree.NewError(tree.CodeFollowing, "the sources of this cluster ("+strings.Join(urls, ", ")+
			") forward to the cluster itself; name the client URLs of the etcd to `pando migrate --from`")
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	timer := time.AfterFunc(f.api.SourceTimeout, cancel)
	r := &http.Request{
		Method: f.method, URL: &f.url, Header: f.header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
	}
	if f.form != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(f.form)), int64(len(f.form))
	}
	resp, inDoubt, err := f.api.Source.Send(r.WithContext(ctx), f.client, urls)
	if err != nil {
		return service.Answer{}, sourceFailed(urls, inDoubt)
	}
	f.resp = resp
	if resp.StatusCode >= http.StatusMultipleChoices {
		if err := f.readError(); err != nil {
			return service.Answer{}, sourceFailed(urls, !isRead(f.method))
		}
	}
	timer.Stop() // the rest of a large body has its own time limits
	answer := service.Answer{URL: resp.Request.URL.Scheme + "://" + resp.Request.URL.Host, Err: f.err}
	answer.Index, _ = strconv.ParseUint(resp.Header.Get("X-Etcd-Index"), 10, 64) // 0 without the header
	return answer, nil
}

// sourceFailed returns the error of a request that the source did not answer.
func sourceFailed(urls []string, inDoubt bool) *tree.Error {
	cause := "the etcd that this cluster follows (" + strings.Join(urls, ", ") + ") did not answer; "
	if inDoubt {
		return tree.NewError(tree.CodeRaftInternal, cause+"the request was sent and may have been carried out: read before you repeat it")
	}
	return tree.NewError(tree.CodeFollowing, cause+"nothing was done")
}

// maxForwardedError is the largest body of an error of the source that is read, in bytes.
const maxForwardedError = 1 << 20

// readError reads the body of a response with an error, and decodes the error in it.
func (f *forwarding) readError() error {
	var err error
	if f.body, err = io.ReadAll(io.LimitReader(f.resp.Body, maxForwardedError)); err != nil {
		return err
	}
	var decoded struct {
		ErrorCode tree.Code
		Cause     string
		Index     uint64
	}
	if json.Unmarshal(f.body, &decoded) != nil || decoded.ErrorCode == 0 {
		decoded.ErrorCode, decoded.Cause = tree.CodeRaftInternal, f.resp.Status
	}
	f.err = &tree.Error{Code: decoded.ErrorCode, Cause: decoded.Cause, Index: decoded.Index}
	return nil
}

// write writes the response of the source as that of this member: with its own cluster ID and the position of its own log. It returns the
// error in the response, for the metrics. If the body breaks off, it returns http.ErrAbortHandler.
func (f *forwarding) write(w http.ResponseWriter) error {
	h := w.Header()
	for _, name := range []string{"Content-Type", "Retry-After"} {
		if values := f.resp.Header[name]; len(values) > 0 {
			h[name] = values
		}
	}
	if f.resp.Header["X-Raft-Index"] != nil {
		f.api.setIndexes(h, 0)
	}
	if values := f.resp.Header["X-Etcd-Index"]; len(values) > 0 {
		h["X-Etcd-Index"] = values
	}
	if f.err != nil {
		writeWhole(w, f.resp.StatusCode, f.body)
		return f.err
	}
	if f.resp.ContentLength >= 0 {
		h["Content-Length"] = []string{strconv.FormatInt(f.resp.ContentLength, 10)}
	}
	w.WriteHeader(f.resp.StatusCode)
	p := buffers.Get().(*[]byte)
	b := slices.Grow((*p)[:0], minRead)
	defer func() { putBuffer(p, b) }()
	if _, err := io.CopyBuffer(w, f.resp.Body, b[:cap(b)]); err != nil {
		return http.ErrAbortHandler // the client must not take the body for complete
	}
	return nil
}

// close ends the exchange with the source.
func (f *forwarding) close() {
	if f.resp != nil {
		_ = f.resp.Body.Close()
	}
	if f.cancel != nil {
		f.cancel()
	}
}
