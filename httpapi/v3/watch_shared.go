package v3

import (
	"sync"

	"pando/httpapi/rpc"
)

// sharedBytes is about the size of the events in a response that is encoded once for several watches. The response fits into one frame with
// its header.
const sharedBytes = rpc.MaxBatch * 3 / 4

// sharedBuffers are the buffers of sendShared.
type sharedBuffers struct{ header, contents, batch []byte }

var sharedPool = sync.Pool{New: func() any { return &sharedBuffers{batch: make([]byte, 0, rpc.MaxBatch)} }}

// sendToAll sends a response to each watch of a group.
func (w *watchStream) sendToAll(g *watchGroup, r *watchResponse) error {
	if len(g.watches) > 1 && w.stream.sendsMessages() {
		if sent, err := w.sendShared(g, r); sent || err != nil {
			return err
		}
	}
	for _, k := range g.watches {
		r.id = k.id
		if err := w.send(r); err != nil {
			return err
		}
	}
	return nil
}

// sendShared encodes a response once, and sends it to each watch of a group. The responses to many watches leave in one frame. It returns
// false if the response is too large.
func (w *watchStream) sendShared(g *watchGroup, r *watchResponse) (sent bool, err error) {
	const maxID = 11 // bytes of the field
	if rpc.MessageHead+sizeHeader(&r.header)+maxID+r.sizeContents() > rpc.MaxBatch {
		return false, nil
	}
	buffers := sharedPool.Get().(*sharedBuffers)
	defer sharedPool.Put(buffers)
	header := appendHeader(buffers.header[:0], &r.header)
	contents := r.appendContents(buffers.contents[:0])
	batch := buffers.batch[:0]
	for _, k := range g.watches {
		size := len(header) + sizeNumber(watchIDField, uint64(k.id)) + len(contents)
		if len(batch)+rpc.MessageHead+size > rpc.MaxBatch {
			if err := w.stream.sendMessages(batch); err != nil {
				return true, err
			}
			batch = batch[:0]
		}
		batch = append(rpc.AppendMessageHead(batch, size), header...)
		batch = append(appendNumber(batch, watchIDField, uint64(k.id)), contents...)
	}
	buffers.header, buffers.contents, buffers.batch = header, contents, batch
	return true, w.stream.sendMessages(batch)
}
