package tree

// Encode returns the response to a transaction, with a newline at the end. A result is that of the same request for /v2/keys. TTLs are
// computed for the time of the transaction.
func (r *TxnResult) Encode() Encoding { return Encoding{txn: r} }

// appendJSON appends the response without the newline.
func (r *TxnResult) appendJSON(dst []byte, p *pieces) []byte {
	dst = append(dst, `{"succeeded":`...)
	if r.succeeded {
		dst = append(dst, "true"...)
	} else {
		dst = append(dst, "false"...)
	}
	dst = appendUint(append(dst, `,"index":`...), r.index)
	dst = append(dst, `,"results":[`...)
	for i := range r.results {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = r.results[i].appendJSON(dst, r.time, p)
		if p == nil {
			continue
		}
		if dst = p.flush(dst); p.failed() {
			break
		}
	}
	return append(dst, "]}"...)
}

func (o *opResult) appendJSON(dst []byte, now int64, p *pieces) []byte {
	if o.event != nil {
		dst = o.event.appendJSON(dst, &format{now: o.event.time}, p)
		return dst[:len(dst)-1] // without the newline
	}
	return append(appendNode(append(dst, `{"action":"get","node":`...), o.node, &format{now: now}, o.depth, p), '}')
}
