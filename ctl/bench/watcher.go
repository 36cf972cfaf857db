package bench

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// A watchMode is how a watcher gets its events.
type watchMode string

const (
	streamWatch watchMode = "stream" // one request, all events
	pollWatch   watchMode = "poll"   // a long poll for each event
)

// errStream is wrapped by the error of a stream that is not chunked, that the server ended, or that holds an error. Errors of
// the connection do not wrap it.
var errStream = errors.New("the stream of events ended or is not valid")

// stampDigits is the length of the stamp at the beginning of each written value: the time of sending, in nanoseconds since the
// beginning of the run.
const stampDigits = 19

// retryPause is the time between a failure of a watcher and its next request.
const retryPause = 20 * time.Millisecond

// A watcher is one client that watches one key on a connection of its own.
type watcher struct {
	number int
	uri    string
	mode   watchMode
	conn   *conn
	load   *fanout
	next   uint64 // index from which the next request waits; 0 for none. An event of a poll, or an error with an index, sets it
	last   uint64 // index of the last event
	buf    []byte // reused
}

// run watches until the run stops. It calls ready at most once: with nil when the server accepts the first watch, or with the
// error of the first watch. The method watch sets ready to nil after the call.
func (w *watcher) run(ready func(error)) {
	defer w.conn.close()
	for !w.load.stopped.Load() {
		err := w.watch(&ready)
		if w.load.stopped.Load() {
			break
		}
		if err == nil {
			continue
		}
		if ready != nil {
			ready(err)
			return
		}
		w.load.rec.Load().fail("watch: "+errorName(err), 1, []byte(err.Error()))
		time.Sleep(retryPause)
	}
}

// watch makes one request and counts its events.
func (w *watcher) watch(ready *func(error)) error {
	h, err := w.conn.begin(w.request())
	if err != nil {
		return err
	}
	if h.status == 200 && *ready != nil {
		(*ready)(nil)
		*ready = nil
	}
	if h.status == 200 && w.mode == streamWatch {
		defer w.conn.close()
		return w.stream(h)
	}
	w.buf, err = appendBody(w.conn.br, h, w.buf[:0])
	if h.closing || err != nil {
		w.conn.close()
	}
	if err != nil {
		return err
	}
	return w.takeResponse(h.status)
}

// takeResponse handles a whole response, which is in w.buf.
func (w *watcher) takeResponse(status int) error {
	body := bytes.TrimSpace(w.buf)
	if status != 200 {
		if index, ok := fieldAfter(body, `"index":`); ok {
			w.next = index + 1
		}
		return fmt.Errorf("HTTP %d: %s", status, body)
	}
	if len(body) > 0 { // empty: the poll ended without an event
		w.event(body)
		w.next = w.last + 1
	}
	return nil
}

// request builds the next request.
func (w *watcher) request() []byte {
	w.buf = append(append(w.buf[:0], w.uri...), "?wait=true"...)
	if w.mode == streamWatch {
		w.buf = append(w.buf, "&stream=true"...)
	}
	if w.next > 0 {
		w.buf = append(w.buf, "&waitIndex="...)
		w.buf = strconv.AppendUint(w.buf, w.next, 10)
	}
	uri := len(w.buf)
	w.buf = appendRequest(w.buf, w.conn.endpoint, "GET", w.buf[:uri], "")
	return w.buf[uri:]
}

// stream counts the events of a stream, one on each line, until the stream breaks.
func (w *watcher) stream(h head) error {
	if !h.chunked {
		return fmt.Errorf("%w: it is not chunked", errStream)
	}
	buf := w.buf[:0]
	for {
		n, err := readChunkSize(w.conn.br)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%w: the server ended it", errStream)
		}
		if buf, err = appendN(w.conn.br, n, buf); err != nil {
			return err
		}
		if err := endChunk(w.conn.br); err != nil {
			return err
		}
		rest := buf
		for {
			line, after, whole := bytes.Cut(rest, []byte("\n"))
			if !whole {
				break
			}
			if bytes.HasPrefix(line, []byte(`{"errorCode"`)) {
				return fmt.Errorf("%w: %s", errStream, line)
			}
			w.event(line)
			rest = after
		}
		buf = append(buf[:0], rest...)
	}
}

// event counts one event. Its index must be higher than that of the last event; the time of its write is in its value.
func (w *watcher) event(body []byte) {
	now := time.Now()
	index, ok := fieldAfter(body, `"modifiedIndex":`)
	if !ok || index <= w.last {
		w.load.rec.Load().fail("watch: event out of order", 1, body)
		return
	}
	w.last = index
	const field = `"value":"`
	at := bytes.Index(body, []byte(field)) + len(field)
	if at < len(field) || len(body) < at+stampDigits {
		w.load.rec.Load().fail("watch: event without our value", 1, body)
		return
	}
	stamp, ok := parseDecimal(body[at : at+stampDigits])
	if !ok {
		w.load.rec.Load().fail("watch: event without our value", 1, body)
		return
	}
	sent := w.load.epoch.Add(time.Duration(stamp))
	w.load.deliver(w.number, now.Sub(sent), now)
}
