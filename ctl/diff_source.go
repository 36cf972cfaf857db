package ctl

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"pando/ctl/client"
	"pando/ctl/diff"
	"pando/ctl/terminal"
)

// sortLimit is how much of a file is sorted in memory, in bytes. The rest is sorted in a temporary file.
const sortLimit = 64 << 20

// side is one of the two subtrees that diff compares.
type side struct {
	name  string // as the user typed it
	key   string // the key of the subtree; the keys of nodes are relative to it
	nodes diff.Nodes
	// exact says that the values are the stored bytes. The values of other sides went through JSON.
	exact bool
	// hasIndexes says that the nodes have createdIndex and modifiedIndex.
	hasIndexes bool
	close      func()
}

// absolute returns the key of a node whose key is relative to that of the subtree.
func (s *side) absolute(key string) string {
	switch {
	case s.key == "/":
		return key
	case key == "/":
		return s.key
	}
	return s.key + key
}

// openSide returns the subtree that an argument of diff names: /KEY, URL, URL/KEY, FILE, FILE:/KEY, or - for stdin. Without a key, it is
// the key that the other argument names, or the root.
func (p *program) openSide(ctx context.Context, name, other string, o *diffOptions) (*side, error) {
	s := &side{name: name, close: func() {}}
	if strings.HasPrefix(name, "/") {
		s.key = cleanKey(name)
		return s, p.openKey(ctx, s, o)
	}
	place, key := splitKey(name)
	if s.key = key; key == "" {
		if _, s.key = splitKey(other); strings.HasPrefix(other, "/") {
			s.key = other
		}
		s.key = cleanKey(s.key)
	}
	if strings.Contains(place, "://") {
		return s, p.openURL(ctx, s, place, o)
	}
	return s, p.openFile(ctx, s, strings.TrimPrefix(place, "file:"), o)
}

// urlAndKey matches one or several URLs between commas, and the key behind them, which may have any characters.
var urlAndKey = regexp.MustCompile(`(?is)^(https?://[^/,]*(?:/?,https?://[^/,]*|,[^/,]+)*)(/.*)?$`)

// splitKey splits URL/KEY, FILE:/KEY and unix:///SOCKET:/KEY. The key may be missing. It begins at the first place where it can: it may
// have ":/" and "://" in it, and a URL of TCP has no path.
func splitKey(name string) (place, key string) {
	if parts := urlAndKey.FindStringSubmatch(name); parts != nil {
		if parts[2] == "" {
			return name, ""
		}
		return strings.TrimSuffix(parts[1], ":"), cleanKey(parts[2])
	}
	for i := range len(name) {
		if i > 0 && strings.HasPrefix(name[i:], ":/") && !strings.HasPrefix(name[i:], "://") && name[:i] != "file" {
			return name[:i], cleanKey(name[i+1:])
		}
	}
	return name, ""
}

// cleanKey returns a key without slashes at its end.
func cleanKey(key string) string { return "/" + strings.Trim(key, "/") }

// openKey opens a subtree of the cluster of the global options.
func (p *program) openKey(ctx context.Context, s *side, o *diffOptions) error {
	if o.connected == nil {
		cl, err := p.connect(ctx)
		if err != nil {
			return err
		}
		o.connected = cl
	}
	return p.openWalk(ctx, s, o.connected, o)
}

// openURL opens a subtree of the servers at some URLs, with the certificates and the user of the global options.
func (p *program) openURL(ctx context.Context, s *side, urls string, o *diffOptions) error {
	endpoints, err := client.ParseEndpoints(urls)
	if err != nil {
		return badArguments("%s: %w", s.name, err)
	}
	if o.unconnected == nil {
		if o.unconnected, err = p.newClient(ctx); err != nil {
			return bareFailure(err)
		}
	}
	return p.openWalk(ctx, s, o.unconnected.WithEndpoints(endpoints...), o)
}

func (p *program) openWalk(ctx context.Context, s *side, cl *client.Client, o *diffOptions) error {
	if !p.globals.timeoutGiven {
		cl = cl.WithHeaderTimeout(subtreeTimeout)
	}
	s.hasIndexes = true
	walk := cl.Walk(ctx, s.key, client.WalkOptions{
		Hidden: o.hidden, KeysOnly: o.keysOnly, Quorum: true, Note: func(text string) { fmt.Fprintf(p.stderr, "%s: %s\n", s.name, text) },
	})
	s.nodes = s.relative(walk, false)
	return nil
}

// relative returns nodes with keys relative to the key of s. below is true if the nodes are those of a file: then they may be nodes that
// are not below the key, and the directories above a node may be missing.
func (s *side) relative(nodes diff.Nodes, below bool) diff.Nodes {
	return func(yield func(*client.Node, error) bool) {
		dirs := map[int]string{} // the directory of each level above the last node
		for n, err := range nodes {
			if err != nil {
				yield(nil, fmt.Errorf("%s: %w", s.name, err))
				return
			}
			if below && !isBelow(n.Key, s.key) {
				continue
			}
			n.Key = cleanKey(strings.TrimPrefix(n.Key, strings.TrimSuffix(s.key, "/")))
			if below && !s.yieldMissing(n.Key, dirs, yield) {
				return
			}
			dirs[depthOf(n.Key)] = n.Key
			if !yield(n, nil) {
				return
			}
		}
	}
}

// yieldMissing yields the directories above a key that are not in dirs: an export that begins below them does not name them.
func (s *side) yieldMissing(key string, dirs map[int]string, yield func(*client.Node, error) bool) bool {
	for level := range depthOf(key) {
		dir := "/"
		if level > 0 {
			dir = strings.Join(strings.SplitN(key, "/", level+2)[:level+1], "/")
		}
		if dirs[level] == dir {
			continue
		}
		dirs[level] = dir
		if !yield(&client.Node{Key: dir, Dir: true}, nil) {
			return false
		}
	}
	return true
}

// openFile opens an export or a snapshot, or an export on stdin if the name is "-".
func (p *program) openFile(ctx context.Context, s *side, file string, o *diffOptions) error {
	var in io.Reader = p.stdin
	isSnapshot := false
	if file == "-" {
		p.announceStdin("the export")
	} else {
		f, err := os.Open(file)
		if errors.Is(err, fs.ErrNotExist) && !strings.Contains(file, "/") {
			return badArguments("%s: no such file; a key begins with a slash, as /%s does, and a URL with http://", file, file)
		}
		if err != nil {
			return badArguments("%w", err)
		}
		defer f.Close()
		if in, isSnapshot, err = looksBinary(f); err != nil {
			return badArguments("%s: %w", file, err)
		}
	}
	sorter := diff.NewSorter(sortLimit)
	s.close = func() { _ = sorter.Close() } // the file has no name any more
	read := func() (struct{}, error) {
		add := func(n *client.Node) error {
			if o.hidden || !hiddenBelow(n.Key, s.key) {
				return sorter.Add(n)
			}
			return nil
		}
		if isSnapshot {
			s.exact, s.hasIndexes = true, true
			return struct{}{}, p.readSnapshot(file, add)
		}
		return struct{}{}, readExport(in, file, add)
	}
	if _, err := terminal.Interruptible(ctx, read); err != nil {
		return failWith(exitBadArguments, err)
	}
	s.nodes = s.relative(sorter.Sorted(), true)
	return nil
}

// looksBinary reports whether a file is no text. all reads the file from its beginning, also if it is a pipe.
func looksBinary(f *os.File) (all io.Reader, binary bool, err error) {
	in := bufio.NewReader(f)
	head, err := in.Peek(in.Size())
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	return in, bytes.IndexByte(head, 0) >= 0, nil
}

// readSnapshot reads the nodes of a snapshot file.
func (p *program) readSnapshot(file string, add func(*client.Node) error) error {
	if p.host.ReadSnapshot == nil {
		return fmt.Errorf("%s is no export; this program does not read snapshots, but pando ctl does", file)
	}
	return p.host.ReadSnapshot(file, add)
}

// readExport reads the entries of an export as nodes.
func readExport(in io.Reader, name string, add func(*client.Node) error) error {
	if name == "-" {
		name = "standard input"
	}
	lines := &entryReader{lines: json.NewDecoder(in), name: name}
	for {
		r, err := lines.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		n := &client.Node{Key: r.Key, Dir: r.Dir, TTL: r.TTL, Expiration: r.Expiration}
		if r.Value != nil {
			n.Value = *r.Value
		}
		if err := add(n); err != nil {
			return err
		}
	}
}

// isFile reports whether there is a file of this name.
func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

// hiddenBelow reports whether a listing of the directory at base leaves out the node at key.
func hiddenBelow(key, base string) bool {
	return isBelow(key, base) && strings.Contains(key[len(strings.TrimSuffix(base, "/")):], "/_")
}
