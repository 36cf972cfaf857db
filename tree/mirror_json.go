package tree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// MirrorState is the body of the responses of /v2/mirror: what one member has applied of the mirror, and what it forwards at the moment.
type MirrorState struct {
	// Phase is zero, in JSON "none", if the cluster follows no etcd.
	Phase MirrorPhase `json:"phase"`
	// Index is the index of the tree.
	Index         uint64   `json:"index"`
	Sources       []string `json:"sources"` // client URLs of the source
	ForwardWrites bool     `json:"forwardWrites"`
	// Member is the ID of the member, in hexadecimal.
	Member string `json:"member"`
	// Forwarding is the number of requests that the member is forwarding to the source. It was read after the Phase: if it is 0 in
	// PhaseFenced, no request of this member reaches the source any more.
	Forwarding uint64 `json:"forwarding"`
}

// MirrorNodes is the body of the responses of /v2/mirror/nodes: the nodes of View.NodesToRead.
type MirrorNodes struct {
	Index uint64       `json:"index"` // of the view
	Nodes []NodeFields `json:"nodes"`
}

// MarshalText returns the name of the phase, as String does.
func (p MirrorPhase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText decodes the name of a phase.
func (p *MirrorPhase) UnmarshalText(text []byte) error {
	for known := range PhaseEnded + 1 {
		if known.String() == string(text) {
			*p = known
			return nil
		}
	}
	return fmt.Errorf("tree: unknown phase %.64q; it must be following, fenced or ended", text)
}

// mirrorChangeJSON is a MirrorChange in JSON.
type mirrorChangeJSON struct {
	After         uint64       `json:"after"`
	To            uint64       `json:"to"`
	Reset         bool         `json:"reset,omitempty"`
	Nodes         []NodeFields `json:"nodes,omitempty"`
	Removed       []string     `json:"removed,omitempty"`
	Events        []eventJSON  `json:"events,omitempty"`
	Phase         *MirrorPhase `json:"phase,omitempty"`
	Sources       *[]string    `json:"sources,omitempty"`
	ForwardWrites *bool        `json:"forwardWrites,omitempty"`
}

// eventJSON is an EventFields in JSON.
type eventJSON struct {
	Action string      `json:"action"`
	Time   time.Time   `json:"time"`
	Node   NodeFields  `json:"node"`
	Prev   *NodeFields `json:"prevNode,omitempty"`
}

// nodeJSON is a NodeFields in JSON, with the names of the v2 API.
type nodeJSON struct {
	Key        string     `json:"key"`
	Value      string     `json:"value,omitempty"`
	Dir        bool       `json:"dir,omitempty"`
	Expiration *time.Time `json:"expiration,omitempty"`
	Modified   uint64     `json:"modifiedIndex"`
	Created    uint64     `json:"createdIndex"`
}

// MarshalJSON encodes the change as the body of a request to /v2/mirror.
func (c *MirrorChange) MarshalJSON() ([]byte, error) {
	j := mirrorChangeJSON{After: c.After, To: c.To, Reset: c.Reset, Nodes: c.Nodes, Removed: c.Removed, ForwardWrites: c.ForwardWrites}
	if c.Phase != 0 {
		j.Phase = &c.Phase
	}
	if c.Sources != nil {
		j.Sources = &c.Sources
	}
	for _, e := range c.Events {
		j.Events = append(j.Events, eventJSON{Action: e.Action.String(), Time: time.Unix(0, e.Time).UTC(), Node: e.Node, Prev: e.Prev})
	}
	return encodeJSON(j)
}

// MarshalJSON encodes the node with the names of the v2 API.
func (f NodeFields) MarshalJSON() ([]byte, error) {
	n := nodeJSON{Key: f.Path, Value: f.Value, Dir: f.Dir, Modified: f.Modified, Created: f.Created}
	if f.Expires != 0 {
		n.Expiration = new(time.Unix(0, f.Expires).UTC())
	}
	return encodeJSON(n)
}

// encodeJSON is json.Marshal without the escapes for HTML, which make values longer.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return b.Bytes(), err
}

// decodeJSON is json.Unmarshal, but an unknown field is an error.
func decodeJSON(data []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(v)
}

// UnmarshalJSON decodes the body of a request to /v2/mirror. Unknown fields, actions and phases are errors, and so is an event without a
// time. It does not check anything else: see MirrorChange.check.
func (c *MirrorChange) UnmarshalJSON(data []byte) error {
	var j mirrorChangeJSON
	if err := decodeJSON(data, &j); err != nil {
		return err
	}
	*c = MirrorChange{After: j.After, To: j.To, Reset: j.Reset, Nodes: j.Nodes, Removed: j.Removed, ForwardWrites: j.ForwardWrites}
	if j.Phase != nil {
		if c.Phase = *j.Phase; c.Phase == 0 {
			return errPhase
		}
	}
	if j.Sources != nil {
		c.Sources = append([]string{}, *j.Sources...)
	}
	for i := range j.Events {
		e, err := j.Events[i].fields()
		if err != nil {
			return err
		}
		c.Events = append(c.Events, e)
	}
	return nil
}

// fields returns the event for UnmarshalJSON.
func (j *eventJSON) fields() (EventFields, error) {
	action, ok := ParseAction(j.Action)
	if !ok {
		return EventFields{}, fmt.Errorf("tree: the event of %.64q has the unknown action %.64q", j.Node.Path, j.Action)
	}
	if j.Time.IsZero() {
		return EventFields{}, fmt.Errorf("tree: the event of %.64q has no time", j.Node.Path)
	}
	at, err := nanoseconds(j.Time)
	if err != nil {
		return EventFields{}, fmt.Errorf("tree: the event of %.64q: %w", j.Node.Path, err)
	}
	return EventFields{Action: action, Time: at, Node: j.Node, Prev: j.Prev}, nil
}

// UnmarshalJSON decodes a node. An unknown field is an error.
func (f *NodeFields) UnmarshalJSON(data []byte) error {
	var j nodeJSON
	if err := decodeJSON(data, &j); err != nil {
		return err
	}
	*f = NodeFields{Path: j.Key, Value: j.Value, Dir: j.Dir, Created: j.Created, Modified: j.Modified}
	if j.Expiration == nil {
		return nil
	}
	var err error
	if f.Expires, err = nanoseconds(*j.Expiration); err != nil {
		return fmt.Errorf("tree: the expiration of %.64q: %w", j.Key, err)
	}
	return nil
}

var errPhase = errors.New("tree: the phase of a change must be following, fenced or ended")

var errTime = errors.New("the time is not between the years 1970 and 2262")

// nanoseconds returns the time in nanoseconds since 1970. The year 1970 itself begins one nanosecond later, because zero means no time.
func nanoseconds(t time.Time) (int64, error) {
	if s := t.Unix(); s < 0 || s >= math.MaxInt64/int64(time.Second) || t.UnixNano() == 0 {
		return 0, errTime
	}
	return t.UnixNano(), nil
}
