package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// ErrNoTransactions is the error of a server that does not know transactions.
var ErrNoTransactions = errors.New("the server has no transactions: it is an etcd, or a version of Pando without them")

// TxnResult is the answer to a transaction.
type TxnResult struct {
	Succeeded bool     `json:"succeeded"` // the compares held, and the list "then" was executed
	Index     uint64   `json:"index"`     // the index of the store after the transaction
	Results   []*Event `json:"results"`   // one for each operation of the list that was executed
	// Body is the whole answer in JSON.
	Body []byte `json:"-"`
}

// Txn executes a transaction, which is the body of a request for /v2/txn in JSON. A member that may have executed it is the last one that
// gets it. Txn returns an *APIError if a member refuses the transaction.
func (c *Client) Txn(ctx context.Context, transaction string) (*TxnResult, error) {
	a, err := c.send(ctx, &request{
		method: http.MethodPost, path: "/v2/txn", contentType: "application/json", body: transaction, repetition: unrepeatable, bareError: true,
	})
	switch {
	case err != nil:
		return nil, err
	case a.status == http.StatusNotFound && !json.Valid(a.body), a.status == http.StatusMethodNotAllowed:
		return nil, ErrNoTransactions
	case a.status != http.StatusOK:
		return nil, parseAPIError(a.status, a.body)
	}
	r := &TxnResult{Body: a.body}
	if err := json.Unmarshal(a.body, r); err != nil {
		return nil, errInvalidJSON
	}
	for _, e := range r.Results {
		if e == nil || e.Node == nil {
			return nil, errInvalidJSON
		}
	}
	return r, nil
}
