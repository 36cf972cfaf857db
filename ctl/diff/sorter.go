package diff

import (
	"bufio"
	"container/heap"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"pando/ctl/client"
)

// Sorter puts nodes into the order of client.CompareKeys. It keeps up to a number of bytes in memory, and the others in a temporary file
// that nobody else can open. The caller must call Close.
type Sorter struct {
	limit int // bytes
	nodes []*client.Node
	size  int // bytes of nodes
	file  *os.File
	runs  []int64 // where the sorted parts of the file begin
	end   int64   // of the file
}

// nodeSize is what a node takes beside its key and value, in bytes.
const nodeSize = 200

// NewSorter returns a Sorter that keeps up to limit bytes in memory.
func NewSorter(limit int) *Sorter { return &Sorter{limit: limit} }

// Add adds a node. The Sorter keeps it.
func (s *Sorter) Add(n *client.Node) error {
	s.nodes = append(s.nodes, n)
	s.size += nodeSize + len(n.Key) + len(n.Value)
	if s.size < s.limit {
		return nil
	}
	return s.spill()
}

// spill sorts the nodes in memory and appends them to the file.
func (s *Sorter) spill() error {
	if s.file == nil {
		var err error
		if s.file, err = os.CreateTemp("", "pando-diff-"); err != nil {
			return err
		}
		if err := os.Remove(s.file.Name()); err != nil { // the file goes when it is closed
			return err
		}
	}
	s.sort()
	out := &countingWriter{w: bufio.NewWriterSize(s.file, 1<<16)}
	encoder := gob.NewEncoder(out)
	for _, n := range s.nodes {
		if err := encoder.Encode(n); err != nil {
			return fmt.Errorf("temporary file: %w", err)
		}
	}
	if err := out.w.Flush(); err != nil {
		return fmt.Errorf("temporary file: %w", err)
	}
	s.runs = append(s.runs, s.end)
	s.end += out.n
	s.nodes, s.size = s.nodes[:0], 0
	return nil
}

func (s *Sorter) sort() {
	slices.SortFunc(s.nodes, func(a, b *client.Node) int { return client.CompareKeys(a.Key, b.Key) })
}

// countingWriter counts the bytes that pass.
type countingWriter struct {
	w *bufio.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// Sorted returns all nodes in order. If two have the same key, it returns an error. No node may be added afterwards.
func (s *Sorter) Sorted() Nodes {
	s.sort()
	return func(yield func(*client.Node, error) bool) {
		m, err := s.merge()
		last := ""
		for err == nil && len(m) > 0 {
			n := m[0].node
			if n.Key == last {
				err = fmt.Errorf("%s is there twice", n.Key)
				break
			}
			last = n.Key
			if !yield(n, nil) {
				return
			}
			if err = m[0].next(); errors.Is(err, io.EOF) {
				heap.Pop(&m)
				err = nil
			} else if err == nil {
				heap.Fix(&m, 0)
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// merge opens all sorted parts at their first nodes.
func (s *Sorter) merge() (runHeap, error) {
	var m runHeap
	for i, start := range s.runs {
		end := s.end
		if i+1 < len(s.runs) {
			end = s.runs[i+1]
		}
		decoder := gob.NewDecoder(bufio.NewReaderSize(io.NewSectionReader(s.file, start, end-start), 1<<16))
		m = append(m, &sortedRun{decoder: decoder})
	}
	m = append(m, &sortedRun{nodes: s.nodes})
	for i := len(m) - 1; i >= 0; i-- {
		switch err := m[i].next(); {
		case errors.Is(err, io.EOF):
			m = slices.Delete(m, i, i+1)
		case err != nil:
			return nil, err
		}
	}
	heap.Init(&m)
	return m, nil
}

// Close frees the space of the temporary file.
func (s *Sorter) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// sortedRun is a sorted part of the nodes: in the file, or in memory if decoder is nil.
type sortedRun struct {
	decoder *gob.Decoder
	nodes   []*client.Node
	node    *client.Node // the current one
}

// next sets node to the next node, or returns io.EOF.
func (r *sortedRun) next() error {
	if r.decoder != nil {
		r.node = &client.Node{}
		return r.decoder.Decode(r.node)
	}
	if len(r.nodes) == 0 {
		return io.EOF
	}
	r.node, r.nodes = r.nodes[0], r.nodes[1:]
	return nil
}

// runHeap has the run with the smallest key first.
type runHeap []*sortedRun

func (h runHeap) Len() int           { return len(h) }
func (h runHeap) Less(i, j int) bool { return client.CompareKeys(h[i].node.Key, h[j].node.Key) < 0 }
func (h runHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)        { *h = append(*h, x.(*sortedRun)) }

func (h *runHeap) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	*h = (*h)[:last]
	return r
}
