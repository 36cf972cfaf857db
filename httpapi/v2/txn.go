package v2

import (
	"mime"
	"net/http"

	"pando/httpapi/auth"
	"pando/httpapi/budget"
	"pando/stats"
	"pando/tree"
)

// errTxnType is the error of a transaction with a body that is no JSON.
var errTxnType = tree.NewError(tree.CodeInvalidForm, "send the transaction as JSON, with Content-Type: application/json")

// Txn serves /v2/txn, which the reference does not have.
func (a *API) Txn(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	a.setClusterID(w)
	if err := a.Service.AwaitReady(r.Context()); err != nil {
		return stats.OpTxn, a.writeError(w, err)
	}
	txn, reserved, err := a.readTxn(w, r)
	defer reserved.Release()
	if err != nil {
		return stats.OpTxn, a.writeError(w, err)
	}
	result, err := a.Service.Txn(detached, auth.FromRequest(r), txn)
	reserved.Release()
	if err != nil {
		return stats.OpTxn, a.writeError(w, err)
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	a.setIndexes(h, result.Index())
	return stats.OpTxn, a.writeResult(w, http.StatusOK, result.Encode())
}

// readTxn reads and decodes the body of a transaction. The caller must release the reservation when it no longer needs the transaction.
// Errors are *tree.Error.
func (a *API) readTxn(w http.ResponseWriter, r *http.Request) (*tree.Txn, budget.Reservation, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		if err := a.discardBody(w, r); err != nil {
			return nil, budget.Reservation{}, asFormError(err)
		}
		return nil, budget.Reservation{}, errTxnType
	}
	body, reserved, err := a.readBody(w, r, a.plainLimit())
	if err != nil {
		return nil, reserved, asFormError(err)
	}
	txn, err := decodeTxn(body, a.Now())
	return txn, reserved, err
}

// asFormError returns the error for a body that can't be read.
func asFormError(err error) error {
	if e, ok := err.(*tree.Error); ok {
		return e
	}
	return tree.NewError(tree.CodeInvalidForm, err.Error())
}
