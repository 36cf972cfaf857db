package tree

import (
	"encoding/json"
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// modelTxn is the result of a transaction. Each operation has an event or the JSON of a read.
type modelTxn struct {
	succeeded bool
	index     uint64
	events    []*modelEvent // nil for a read
	reads     []string      // empty for a change
}

// doTxn executes a transaction in a copy of the model, which it takes over if all operations succeed.
func (m *model) doTxn(now int64, t *Txn) *Error {
	list, name := t.Then, "then"
	r := &modelTxn{succeeded: true}
	for _, c := range t.Compares {
		n, ok := m.nodes[c.Path]
		holds := map[CompareKind]bool{
			CompareExists: ok, CompareMissing: !ok,
			CompareValue: ok && !n.dir && n.value == c.Value, CompareIndex: ok && n.modified == c.Index,
		}
		if !holds[c.Kind] {
			list, name, r.succeeded = t.Else, "else", false
		}
	}
	ahead := m.clone()
	for op, n := range m.counts {
		counts := *n
		ahead.counts[op] = &counts
	}
	m.txn = nil
	ahead.numbers.inTxn, ahead.numbers.sub = true, 0
	for i, c := range list {
		var e *modelEvent
		var read string
		var err *Error
		switch {
		case c.Op == OpGet:
			read, err = ahead.read(now, c)
		default:
			if err = ahead.refuseDir(c); err == nil {
				e, err = ahead.change(now, c)
			}
		}
		if err != nil {
			cause := fmt.Sprintf("%s[%d]: %s", name, i, c.Path)
			if err.Cause != c.Path && err.Cause != "" {
				cause += ": " + err.Cause
			}
			return &Error{Code: err.Code, Cause: cause, Index: m.index}
		}
		r.events, r.reads = append(r.events, e), append(r.reads, read)
	}
	r.index = ahead.index
	ahead.numbers.inTxn, ahead.numbers.sub = false, 0
	*m = *ahead
	m.txn = r
	return nil
}

// read returns the JSON of a read within a transaction.
func (m *model) read(now int64, c Command) (string, *Error) {
	n, err := m.at(c.Path)
	if err != nil {
		return "", err
	}
	if n.dir && !c.Recursive {
		return m.shallow(now, c.Path), nil
	}
	return m.listingAt(now, c.Path), nil
}

// refuseDir returns the error of an operation that would replace a file by a directory or lose its value.
func (m *model) refuseDir(c Command) *Error {
	if !c.Dir || c.Path == "/" || c.Op != OpUpdate && !(c.Op == OpSet && c.Refresh) {
		return nil
	}
	n, err := m.at(c.Path)
	switch {
	case err != nil:
		return err
	case !n.dir:
		return &Error{Code: 104, Cause: c.Path}
	case c.Op == OpSet:
		return &Error{Code: 102, Cause: c.Path}
	}
	return nil
}

// shallow returns the JSON of a directory with its children alone.
func (m *model) shallow(now int64, path string) string {
	top := newModel(1)
	prefix := strings.TrimSuffix(path, "/") + "/"
	for p, n := range m.nodes {
		if p == path || strings.HasPrefix(p, prefix) && !strings.Contains(strings.TrimPrefix(p, prefix), "/") {
			top.nodes[p] = n
		}
	}
	return top.listingAt(now, path)
}

// genTxn draws a transaction, most of whose compares hold.
func genTxn(t *rapid.T, m *model, now int64) *Txn {
	txn := &Txn{}
	for range rapid.IntRange(0, 2).Draw(t, "compares") {
		c := Compare{Kind: CompareKind(rapid.IntRange(1, 4).Draw(t, "kind")), Path: genPath(t, m)}
		n, ok := m.nodes[c.Path]
		switch {
		case c.Kind == CompareExists && !ok && rapid.Bool().Draw(t, "hold"):
			c.Kind = CompareMissing
		case c.Kind == CompareValue && ok:
			c.Value = n.value
		case c.Kind == CompareIndex:
			c.Index = genPrevIndex(t, m, c.Path)
		}
		txn.Compares = append(txn.Compares, c)
	}
	for _, list := range []*[]Command{&txn.Then, &txn.Else} {
		for range rapid.IntRange(0, 4).Draw(t, "operations") {
			c := genKeyCommand(t, m, now)
			if c.Op == OpExpire || rapid.IntRange(0, 4).Draw(t, "read") == 0 {
				c = Command{Op: OpGet, Path: c.Path, Recursive: c.Recursive}
			}
			*list = append(*list, c)
		}
	}
	return txn
}

// compareTxn compares the result of a transaction with that of the model.
func compareTxn(t *rapid.T, m *model, want *modelTxn, got *TxnResult) {
	if got.Succeeded() != want.succeeded || got.Index() != want.index || got.Len() != len(want.events) {
		t.Fatalf("got %v at %d with %d results, want %+v", got.Succeeded(), got.Index(), len(got.results), want)
	}
	for i, r := range got.results {
		if e := want.events[i]; e != nil {
			compareEvent(t, m, e, got.Event(i))
			continue
		}
		want := `{"action":"get","node":` + want.reads[i] + "}"
		if text := string(r.appendJSON(nil, got.time, nil)); text != want {
			t.Fatalf("a read\ngot  %s\nwant %s", text, want)
		}
	}
	var decoded struct{ Results []json.RawMessage }
	if err := json.Unmarshal(got.Encode().Append(nil), &decoded); err != nil || len(decoded.Results) != len(got.results) {
		t.Fatalf("%s: %v", got.Encode().Append(nil), err)
	}
}
