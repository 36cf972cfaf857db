package v2

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pando/tree"
)

// maxTxnItems is the largest number of compares, and of operations in each list of a transaction.
const maxTxnItems = 128

// txnField is a field of a compare or of an operation.
type txnField int

const (
	txnKey txnField = iota
	txnAction
	txnValue
	txnTTL
	txnDir
	txnRecursive
	txnRefresh
	txnPrevValue
	txnPrevIndex
	txnPrevExist
	txnFieldCount
)

var txnFieldNames = [txnFieldCount]string{
	"key", "action", "value", "ttl", "dir", "recursive", "refresh", "prevValue", "prevIndex", "prevExist",
}

// String returns the field's name in a request.
func (f txnField) String() string { return txnFieldNames[f] }

// txnFields is a set of fields, one bit for each.
type txnFields uint16

func txnFieldsOf(fields ...txnField) (set txnFields) {
	for _, f := range fields {
		set |= 1 << f
	}
	return set
}

func (s txnFields) has(f txnField) bool { return s&(1<<f) != 0 }

// names returns the names of the fields in a text.
func (s txnFields) names() string {
	var names []string
	for f := range txnFieldCount {
		if s.has(f) {
			names = append(names, f.String())
		}
	}
	return strings.Join(names, ", ")
}

// compareFields are the fields of a compare.
var compareFields = txnFieldsOf(txnKey, txnPrevValue, txnPrevIndex, txnPrevExist)

// txnOperation is one kind of operation. The operation of a set or an update that compares is OpCompareAndSwap, and that of a delete that
// compares is OpCompareAndDelete.
type txnOperation struct {
	op     tree.Op
	fields txnFields
}

// txnOperations are the operations by the value of the field action.
var txnOperations = map[string]txnOperation{
	"set": {tree.OpSet, txnFieldsOf(txnKey, txnAction, txnValue, txnTTL, txnDir, txnRefresh, txnPrevValue, txnPrevIndex)},
	"update": {tree.OpUpdate,
		txnFieldsOf(txnKey, txnAction, txnValue, txnTTL, txnDir, txnRefresh, txnPrevValue, txnPrevIndex)},
	"create":        {tree.OpCreate, txnFieldsOf(txnKey, txnAction, txnValue, txnTTL, txnDir)},
	"createInOrder": {tree.OpCreateInOrder, txnFieldsOf(txnKey, txnAction, txnValue, txnTTL, txnDir)},
	"delete":        {tree.OpDelete, txnFieldsOf(txnKey, txnAction, txnDir, txnRecursive, txnPrevValue, txnPrevIndex)},
	"get":           {tree.OpGet, txnFieldsOf(txnKey, txnAction, txnRecursive)},
}

// txnItem is a compare or an operation as it was sent.
type txnItem struct {
	given                              txnFields
	key, action, value, prevValue      string
	ttl, prevIndex                     uint64
	dir, recursive, refresh, prevExist bool
}

// txnDecoder decodes the body of a transaction.
type txnDecoder struct {
	jsonReader
	now time.Time // TTLs count from now
	txn tree.Txn
	// refused is the first error of a field. Errors of the syntax are in jsonReader.
	refused *tree.Error
	where   string // the place of the current item, such as then[2]
}

// decodeTxn decodes the body of a transaction. TTLs count from now. Errors are *tree.Error. The transaction shares memory with the body.
func decodeTxn(body string, now time.Time) (*tree.Txn, error) {
	d := txnDecoder{jsonReader: newJSONReader(body), now: now}
	given := map[string]bool{}
	d.object(func(name string) {
		if given[name] {
			d.refuse(tree.CodeInvalidField, "%q is given twice", name)
			return
		}
		given[name] = true
		switch name {
		case "compare":
			d.list(name, func(item *txnItem) { d.addCompares(item) })
		case "then":
			d.list(name, func(item *txnItem) { d.addOperation(&d.txn.Then, item) })
		case "else":
			d.list(name, func(item *txnItem) { d.addOperation(&d.txn.Else, item) })
		default:
			d.refuse(tree.CodeInvalidField, `unknown field %.64q; a transaction has "compare", "then" and "else"`, name)
		}
	})
	d.end()
	switch {
	case d.refused != nil:
		return nil, d.refused
	case d.err != nil:
		cause := "the body is not a transaction in JSON: " + d.err.Error()
		if d.where != "" {
			cause += " (in " + d.where + ")"
		}
		return nil, tree.NewError(tree.CodeInvalidForm, cause)
	}
	return &d.txn, nil
}

// refuse records the error of a field, unless there was an error before, and ends the decoding.
func (d *txnDecoder) refuse(code tree.Code, format string, args ...any) {
	if d.err != nil {
		return
	}
	cause := fmt.Sprintf(format, args...)
	if d.where != "" {
		cause = d.where + ": " + cause
	}
	d.refused = tree.NewError(code, cause)
	d.fail("refused")
}

// list reads a list, and calls add for each of its items.
func (d *txnDecoder) list(name string, add func(item *txnItem)) {
	d.array(func(i int) {
		if i == maxTxnItems {
			d.where = "" // the error is that of the list
			d.refuse(tree.CodeInvalidField, "%q has more than %d elements; use several transactions", name, maxTxnItems)
			return
		}
		d.where = fmt.Sprintf("%s[%d]", name, i)
		item := d.item()
		if d.err == nil {
			add(&item)
		}
	})
	if d.err == nil {
		d.where = ""
	}
}

// item reads a compare or an operation.
func (d *txnDecoder) item() (item txnItem) {
	d.object(func(name string) {
		f := txnField(slices.Index(txnFieldNames[:], name))
		switch {
		case f < 0:
			d.refuse(tree.CodeInvalidField, "unknown field %.64q; the fields are %s", name, strings.Join(txnFieldNames[:], ", "))
			return
		case item.given.has(f):
			d.refuse(tree.CodeInvalidField, "%q is given twice", name)
			return
		}
		item.given |= 1 << f
		d.field(f, &item)
	})
	if d.err == nil {
		d.checkKey(&item)
	}
	return item
}

// field reads the value of a field.
func (d *txnDecoder) field(f txnField, item *txnItem) {
	place := d.where
	d.where += "." + f.String()
	switch f {
	case txnKey:
		item.key = d.str()
	case txnAction:
		item.action = d.str()
	case txnValue:
		item.value = d.str()
	case txnPrevValue:
		item.prevValue = d.str()
	case txnTTL:
		item.ttl = d.number(tree.CodeTTLNaN)
	case txnPrevIndex:
		item.prevIndex = d.number(tree.CodeIndexNaN)
	case txnDir:
		item.dir = d.boolean()
	case txnRecursive:
		item.recursive = d.boolean()
	case txnRefresh:
		item.refresh = d.boolean()
	case txnPrevExist:
		item.prevExist = d.boolean()
	}
	if d.err == nil {
		d.where = place
	}
}

// number reads a number. The error of another value has the code.
func (d *txnDecoder) number(code tree.Code) uint64 {
	valid := d.err == nil
	n := d.uint()
	if valid && d.err != nil {
		cause := d.err.Error()
		d.err = nil
		d.refuse(code, "%s", cause)
	}
	return n
}

func (d *txnDecoder) checkKey(item *txnItem) {
	switch {
	case !item.given.has(txnKey):
		d.refuse(tree.CodeInvalidField, `"key" is missing`)
	case !tree.ValidPath(item.key):
		d.refuse(tree.CodeInvalidField, "the key %.64q must begin with a slash, must not end with one, must have no empty, . or .. name, "+
			"at most %d bytes and at most %d levels", item.key, tree.MaxPathBytes, tree.MaxPathDepth)
	}
}

// allow refuses the first given field that is not in the set. what has these fields.
func (d *txnDecoder) allow(item *txnItem, set txnFields, what string) bool {
	for f := range txnFieldCount {
		if item.given.has(f) && !set.has(f) {
			d.refuse(tree.CodeInvalidField, "%q has no meaning here; %s has the fields %s", f, what, set.names())
			return false
		}
	}
	return true
}

// addCompares adds a compare of the tree for each condition.
func (d *txnDecoder) addCompares(item *txnItem) {
	if !d.allow(item, compareFields, "a compare") {
		return
	}
	if item.given == txnFieldsOf(txnKey) {
		d.refuse(tree.CodeInvalidField, `there is no condition: add "prevValue", "prevIndex" or "prevExist"`)
		return
	}
	if d.isZeroIndex(item) {
		return
	}
	missing := item.given.has(txnPrevExist) && !item.prevExist
	if missing && item.given != txnFieldsOf(txnKey, txnPrevExist) {
		d.refuse(tree.CodeInvalidField, `a node that does not exist has no value and no index: "prevExist":false must be alone`)
		return
	}
	add := func(kind tree.CompareKind) {
		d.txn.Compares = append(d.txn.Compares, tree.Compare{Kind: kind, Path: item.key})
	}
	if missing {
		add(tree.CompareMissing)
	}
	if item.prevExist {
		add(tree.CompareExists)
	}
	if item.given.has(txnPrevValue) {
		add(tree.CompareValue)
		d.txn.Compares[len(d.txn.Compares)-1].Value = item.prevValue
	}
	if item.given.has(txnPrevIndex) {
		add(tree.CompareIndex)
		d.txn.Compares[len(d.txn.Compares)-1].Index = item.prevIndex
	}
}

// isZeroIndex refuses an index of 0.
func (d *txnDecoder) isZeroIndex(item *txnItem) bool {
	zero := item.given.has(txnPrevIndex) && item.prevIndex == 0
	if zero {
		d.refuse(tree.CodeIndexNaN,
			`"prevIndex" is 0, and no node has it; for a node that must not exist use "prevExist":false in "compare"`)
	}
	return zero
}

// addOperation adds an operation to a list.
func (d *txnDecoder) addOperation(list *[]tree.Command, item *txnItem) {
	operation, known := txnOperations[item.action]
	switch {
	case !item.given.has(txnAction):
		d.refuse(tree.CodeInvalidField, `"action" is missing`)
	case !known:
		d.refuse(tree.CodeInvalidField, "unknown action %.64q; the actions are %s", item.action,
			strings.Join(slices.Sorted(maps.Keys(txnOperations)), ", "))
	case !d.allow(item, operation.fields, fmt.Sprintf("the action %q", item.action)), d.isZeroIndex(item), d.contradicts(item):
	default:
		c := tree.Command{
			Op: operation.op, Path: item.key, Value: item.value, Dir: item.dir, Recursive: item.recursive, Refresh: item.refresh,
			PrevValue: item.prevValue, PrevIndex: item.prevIndex, Expires: d.expires(item),
		}
		if item.compares() {
			c.Op = tree.OpCompareAndSwap
			if operation.op == tree.OpDelete {
				c.Op = tree.OpCompareAndDelete
			}
		}
		*list = append(*list, c)
	}
}

// compares reports whether an operation has a condition of its own.
func (item *txnItem) compares() bool {
	return item.given.has(txnPrevValue) || item.given.has(txnPrevIndex)
}

// contradicts refuses fields of an operation that exclude each other.
func (d *txnDecoder) contradicts(item *txnItem) bool {
	switch {
	case item.given.has(txnPrevValue) && item.prevValue == "":
		d.refuse(tree.CodePrevValue, `"prevValue" cannot be empty; to compare with the empty value use "compare"`)
	case item.compares() && (item.dir || item.recursive):
		d.refuse(tree.CodeInvalidField, `"prevValue" and "prevIndex" compare a file, so "dir" and "recursive" can not be used with them; `+
			`use "compare" for a directory`)
	case item.dir && item.given.has(txnValue):
		d.refuse(tree.CodeInvalidField, `"value" can not be used with "dir": a directory has no value`)
	case item.refresh && item.given.has(txnValue):
		d.refuse(tree.CodeRefreshValue, `"value" can not be used with "refresh", which keeps the value`)
	case item.refresh && !item.given.has(txnTTL):
		d.refuse(tree.CodeRefreshTTL, `"refresh" needs a "ttl"`)
	default:
		return false
	}
	return true
}

// expires returns the time at which the TTL of an operation ends, in nanoseconds since 1970, or 0 for never.
func (d *txnDecoder) expires(item *txnItem) int64 {
	if !item.given.has(txnTTL) {
		return 0
	}
	at, ok := expiresAt(d.now, item.ttl)
	if !ok {
		d.refuse(tree.CodeTTLNaN, `"ttl" of %d seconds is beyond the year 2262`, item.ttl)
	}
	return at
}
