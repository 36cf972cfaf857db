package v2

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pando/httpapi/service"
	"pando/httpapi/stream"
	"pando/tree"
)

// watchOptions are the parameters of a watch that the reference does not have.
type watchOptions struct {
	layout    stream.Layout
	lastID    stream.EventID // of a server-sent event that the client has received; zero if there is none
	heartbeat time.Duration  // 0 means never
	timeout   time.Duration  // 0 means never
	noContent bool           // the status after the timeout is 204
	actions   actionSet
	keysOnly  bool     // the events have no values
	each      bool     // the removal of a directory is sent in parts
	paths     []string // of the watched keys
	// beyondReference is true if the client used one of these parameters. Otherwise the response is that of the reference to the byte.
	beyondReference bool
}

// optionFields are the parameters of watchOptions.
var optionFields = setOf(fieldHeartbeat, fieldWaitTimeout, fieldTimeoutStatus, fieldActions, fieldPath, fieldKeysOnly, fieldEach)

// The limits of the parameters.
const (
	minHeartbeat = time.Second
	maxHeartbeat = time.Hour
	maxTimeout   = 24 * time.Hour
	// maxQuietTimeout is the limit of waitTimeout with timeoutStatus=204. The server sends nothing while such a request waits, and so it
	// does not notice that the client is gone.
	maxQuietTimeout = time.Minute
	// eventsHeartbeat is the heartbeat of server-sent events if the client asks for none. A client that has to connect again continues
	// after the ID of the last heartbeat, and so the history must hold only the events of this time.
	eventsHeartbeat = 15 * time.Second
)

// decodeWatch decodes the parameters of a watch of a key. Errors are *tree.Error.
func (p *parser) decodeWatch(r *http.Request, key string) (o watchOptions, err error) {
	f := &p.form
	o.heartbeat = p.duration(fieldHeartbeat, minHeartbeat, maxHeartbeat)
	switch status := f.values[fieldTimeoutStatus]; status {
	case "204":
		o.noContent = true
	case "", "200":
	default:
		p.fail(tree.CodeInvalidField, fmt.Sprintf("%q is %q: it must be 200 or 204", fieldTimeoutStatus, status))
	}
	if f.given.has(fieldWaitTimeout) {
		limit := maxTimeout
		if o.noContent {
			limit = maxQuietTimeout
		}
		o.timeout = max(1, p.duration(fieldWaitTimeout, 0, limit)) // 0 asks for what is there now
	} else if o.noContent {
		p.fail(tree.CodeInvalidField, `"timeoutStatus" needs "waitTimeout"`)
	}
	o.actions, o.keysOnly, o.each = p.actions(), p.flag(fieldKeysOnly), p.flag(fieldEach)
	if acceptsEvents(r.Header["Accept"]) {
		o.layout, o.lastID = stream.ServerSentEvents, p.lastEventID(r)
		if o.heartbeat == 0 {
			o.heartbeat = eventsHeartbeat
		}
	}
	o.beyondReference = o.layout != stream.JSON || f.given&optionFields != 0
	if o.paths = []string{key}; f.given.has(fieldPath) {
		o.paths = p.paths(key)
	}
	if o.noContent && (p.flag(fieldStream) || o.layout != stream.JSON) {
		p.fail(tree.CodeInvalidField, `"timeoutStatus" of 204 can't be used with a stream`)
	}
	if p.err != nil {
		return o, p.err
	}
	return o, nil
}

// duration returns the value of a field in seconds, such as 30 or 0.5, or 0 if the field was not given.
func (p *parser) duration(f field, least, most time.Duration) time.Duration {
	if !p.form.given.has(f) {
		return 0
	}
	seconds, err := strconv.ParseFloat(p.form.values[f], 64)
	if err != nil || math.IsNaN(seconds) || seconds < least.Seconds() || seconds > most.Seconds() {
		p.fail(tree.CodeInvalidField, fmt.Sprintf(`"%v" is %q: it must be a number of seconds from %v to %v`,
			f, p.form.values[f], least.Seconds(), most.Seconds()))
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// actionSet is a set of actions, one bit for each. The empty set stands for all.
type actionSet uint32

func (s actionSet) has(a tree.Action) bool { return s == 0 || s&(1<<a) != 0 }

// actions returns the actions that the field names, separated by commas.
func (p *parser) actions() (set actionSet) {
	if !p.form.given.has(fieldActions) {
		return 0
	}
	for name := range strings.SplitSeq(p.form.values[fieldActions], ",") {
		a, ok := tree.ParseAction(name)
		if !ok {
			p.fail(tree.CodeInvalidField, fmt.Sprintf(`"actions" has %q: it must be a list of %s`,
				name, strings.Join(tree.ActionNames(), ", ")))
		}
		set |= 1 << a
	}
	return set
}

// lastEventID returns the ID in the header that a browser sends when it connects again, or the zero ID.
func (p *parser) lastEventID(r *http.Request) (id stream.EventID) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		return id
	}
	before, after, hasPart := strings.Cut(text, ".")
	index, err := strconv.ParseUint(before, 10, 64)
	part := uint64(0)
	if hasPart && err == nil {
		part, err = strconv.ParseUint(after, 10, 32)
	}
	if err != nil || index == math.MaxUint64 {
		p.fail(tree.CodeIndexNaN, fmt.Sprintf("the header Last-Event-ID is %.40q: it must be an index, or an index and a part such as 7.3", text))
	}
	return stream.EventID{Index: index, Part: uint32(part)}
}

// paths returns the keys that the parameters "path" name. Each is a path below the key of the request.
func (p *parser) paths(key string) []string {
	given := p.form.paths
	if len(given) == maxPathValues {
		p.fail(tree.CodeInvalidField, fmt.Sprintf(`"path" is given too often: at most %d are allowed`, service.MaxWatchedPaths))
		return nil
	}
	paths := make([]string, len(given))
	for i, path := range given {
		paths[i] = strings.TrimSuffix(key, "/") + "/" + strings.Trim(path, "/")
		if paths[i] != "/" {
			paths[i] = strings.TrimSuffix(paths[i], "/")
		}
		if !tree.ValidPath(paths[i]) {
			p.fail(tree.CodeInvalidField, fmt.Sprintf(`"path" is %.80q: it must be the path of a key`, path))
		}
	}
	return paths
}
