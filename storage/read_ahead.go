package storage

import (
	"errors"
)

// aheadBytes is the size of the records that readRecords reads and checks before the caller takes them.
const aheadBytes = 256 << 10

// recordBatch are records that are read and checked.
type recordBatch struct {
	data []byte      // the keys and the values, one after the other
	ends []recordEnd // of each record in data
	err  error       // of the reading after the last record; errRecordsEnd at the end of the bucket
}

// recordEnd are the ends of the key and of the value of a record.
type recordEnd struct{ key, value int }

var errRecordsEnd = errors.New("the end of the bucket")

// recordReader reads and checks the records of a bucket on a goroutine of its own, while the caller of readRecords takes those before.
// There are two batches, so it is ahead by at most one.
type recordReader struct {
	limit  uint64 // of the records
	totals totals // of the records read so far
	batch  *recordBatch
	full   chan *recordBatch
	empty  chan *recordBatch // closed by the caller to end the reading
}

var errNotTaken = errors.New("the caller takes no more records")

// readRecords passes the records of a bucket to take, at most limit of them, and returns their totals. key and value are valid only during
// the call.
func readRecords(p *boltReader, ref bucketRef, limit uint64, take func(key, value []byte) error) (totals, error) {
	r := &recordReader{limit: limit, full: make(chan *recordBatch, 2), empty: make(chan *recordBatch, 2)}
	r.empty <- &recordBatch{}
	r.empty <- &recordBatch{}
	go r.run(p, ref)
	var failed error
	for b := range r.full { // until run ends, so that the caller may use p again
		if failed != nil {
			continue
		}
		if failed = b.each(take); failed == nil {
			failed = b.err
		}
		if failed != nil {
			close(r.empty)
			continue
		}
		r.empty <- b
	}
	if errors.Is(failed, errRecordsEnd) {
		failed = nil
	}
	return r.totals, failed
}

// each passes the records of a batch to take.
func (b *recordBatch) each(take func(key, value []byte) error) error {
	begin := 0
	for _, end := range b.ends {
		err := take(b.data[begin:end.key:end.key], b.data[end.key:end.value:end.value])
		if err != nil && !errors.Is(err, ErrCorrupt) {
			err = damaged("%v", err)
		}
		if err != nil {
			return err
		}
		begin = end.value
	}
	return nil
}

// run reads the bucket.
func (r *recordReader) run(p *boltReader, ref bucketRef) {
	defer close(r.full)
	r.batch = <-r.empty
	err := p.bucket(ref, func(key, record []byte, ref *bucketRef) error {
		if r.totals.records == r.limit && ref == nil {
			return nil
		}
		value, sum, ok := unseal(key, record)
		if ref != nil || !ok {
			return damaged("%.80q fails its checksum", key)
		}
		r.totals.add(sum)
		return r.add(key, value)
	})
	switch {
	case errors.Is(err, errNotTaken):
		return
	case err == nil:
		err = errRecordsEnd
	}
	r.batch.err = err
	r.full <- r.batch
}

// add copies a record to the batch, and passes the batch on when it is full.
func (r *recordReader) add(key, value []byte) error {
	b := r.batch
	b.data = append(append(b.data, key...), value...)
	b.ends = append(b.ends, recordEnd{len(b.data) - len(value), len(b.data)})
	if len(b.data) < aheadBytes {
		return nil
	}
	r.full <- b
	next, more := <-r.empty
	if !more {
		return errNotTaken
	}
	next.data, next.ends = next.data[:0], next.ends[:0]
	r.batch = next
	return nil
}
