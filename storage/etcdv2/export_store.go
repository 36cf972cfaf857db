package etcdv2

import (
	"context"
	"encoding/json"
	"io"
	"path"
	"strconv"
	"strings"

	"pando/tree"
)

// exportWriter writes the v2 store as the JSON that is in a snapshot of etcd.
type exportWriter struct {
	jsonBuffer
	ctx      context.Context
	export   *Export
	report   *Report
	replaced replaced
	nodes    int64 // that were visited
}

func newExportWriter(ctx context.Context, x *Export, w io.Writer) *exportWriter {
	return &exportWriter{jsonBuffer: jsonBuffer{w: w}, ctx: ctx, export: x, report: &Report{HasV2: true}}
}

// store writes the whole store. It always writes the same bytes for the same state.
func (w *exportWriter) store() error {
	v := w.export.Store.View()
	w.raw(`{"Root":`)
	w.head("/", 0, 0, 0, "")
	w.raw(`{"0":`)
	w.clusterSpace()
	w.raw(`,"1":`)
	w.head(keySpace, 0, 0, 0, "")
	w.children(v)
	w.raw("}")
	if !v.Users().IsZero() {
		w.raw(`,"2":`)
		w.userSpace(v)
	}
	w.raw(`}},"WatcherHub":{"EventHistory":{"Queue":{"Events":[`)
	w.history(v)
	w.number(`}},"CurrentIndex":`, v.Index())
	w.counters(v.Counters())
	w.raw(`,"CurrentVersion":2}`)
	w.flush()
	return w.err
}

// head begins a node. The caller must add its children, or null, and the closing bracket.
func (w *exportWriter) head(path string, created, modified uint64, expires int64, value string) {
	w.text(`{"Path":`, path)
	w.number(`,"CreatedIndex":`, created)
	w.number(`,"ModifiedIndex":`, modified)
	w.time(`,"ExpireTime":`, expires)
	w.text(`,"Value":`, value)
	w.raw(`,"Children":`)
}

// file writes a permanent file whose name is the last part of the path.
func (w *exportWriter) file(at string, index uint64, value string) {
	w.name(path.Base(at))
	w.head(at, index, index, 0, value)
	w.raw("null}")
}

// clusterSpace writes the members and the version of the cluster. Each member adds its name and its client URLs when it starts.
func (w *exportWriter) clusterSpace() {
	const index = 1 // of a new cluster
	w.head(clusterSpace, 0, 0, 0, "")
	w.raw(`{"members":`)
	w.head(membersKey, index, index, 0, "")
	w.raw("{")
	for _, m := range w.export.Members {
		w.name(strconv.FormatUint(m.ID, 16))
		w.head(memberKey(m.ID), index, index, 0, "")
		attributes, _ := json.Marshal(memberContext{PeerURLs: m.PeerURLs}) // never fails: plain types
		w.raw("{")
		w.file(path.Join(memberKey(m.ID), raftAttributesKey), index, string(attributes))
		w.raw("}}")
	}
	w.raw("}}")
	w.file(versionKey, index, exportedVersion)
	w.raw("}}")
}

// openDir is a directory that is being written.
type openDir struct {
	path  string
	names map[string]bool // names of children whose bytes were replaced; see readableName
}

// checkInterval is the number of nodes between two checks of the context.
const checkInterval = 4096

// children writes all keys.
func (w *exportWriter) children(v *tree.View) {
	w.raw("{")
	open := []*openDir{{}}
	skipped := "" // the directory that is left out
	for n := range v.Walk() {
		if w.nodes++; w.nodes%checkInterval == 0 && w.err == nil {
			if w.err = w.ctx.Err(); w.export.Progress != nil {
				w.export.Progress(checkInterval)
			}
		}
		if w.err != nil {
			return
		}
		f := n.Fields()
		if skipped != "" && strings.HasPrefix(f.Path, skipped) {
			continue
		}
		for len(open) > 1 && !strings.HasPrefix(f.Path, open[len(open)-1].path+"/") {
			open = open[:len(open)-1]
			w.raw("}}")
		}
		dir := open[len(open)-1]
		name, ok := w.readableName(v, dir, f.Path)
		if !ok {
			skipped = f.Path + "/"
			continue
		}
		w.name(name)
		w.head(keySpace+f.Path, f.Created, f.Modified, f.Expires, f.Value)
		w.report.count(&f)
		if !f.Dir {
			if !isText(f.Value) {
				w.replaced.values.add(f.Path)
			}
			w.raw("null}")
			continue
		}
		w.raw("{")
		open = append(open, &openDir{path: f.Path})
	}
	w.raw(strings.Repeat("}}", len(open)-1) + "}")
}

// readableName returns the name of a node as JSON can carry it: bytes that are not UTF-8 are replaced by U+FFFD. It returns false if
// another node in the directory has that name.
func (w *exportWriter) readableName(v *tree.View, dir *openDir, path string) (name string, ok bool) {
	name = path[len(dir.path)+1:]
	if isText(name) {
		return name, true
	}
	name = string([]rune(name))
	if dir.names == nil {
		dir.names = map[string]bool{}
	}
	if dir.names[name] || v.Lookup(dir.path+"/"+name) != nil {
		w.report.LeftOut++
		w.replaced.collisions.add(path)
		return "", false
	}
	dir.names[name] = true
	w.replaced.paths.add(path)
	return name, true
}

// counters writes the statistics. Pando does not count reads.
func (w *exportWriter) counters(c tree.Counters) {
	w.raw(`,"Stats":{"getsSuccess":0,"getsFail":0`)
	for _, s := range statistics(&c) {
		w.number(`,"`+s.name+successSuffix+`":`, s.OK)
		w.number(`,"`+s.name+failSuffix+`":`, s.Failed)
	}
	w.number(`,"`+expireCount+`":`, c.Expired)
	w.raw(`,"watchers":0}`)
}
