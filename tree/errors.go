package tree

import "fmt"

// Code is an error code of the v2 API.
type Code int

// The codes that this program returns.
const (
	CodeKeyNotFound     Code = 100
	CodeCompareFailed   Code = 101
	CodeNotFile         Code = 102
	CodeNotDir          Code = 104
	CodeKeyExists       Code = 105
	CodeRootReadOnly    Code = 107
	CodeDirNotEmpty     Code = 108
	CodeUnauthorized    Code = 110
	CodeQuotaExceeded   Code = 111 // etcd does not have it
	CodePrevValue       Code = 201
	CodeTTLNaN          Code = 202
	CodeIndexNaN        Code = 203
	CodeInvalidField    Code = 209
	CodeInvalidForm     Code = 210
	CodeRefreshValue    Code = 211
	CodeRefreshTTL      Code = 212
	CodeRaftInternal    Code = 300
	CodeLeaderElection  Code = 301
	CodeWatcherCleared  Code = 400
	CodeHistoryCleared  Code = 401
	unknownErrorMessage      = "Unknown error"
)

// The internal codes. Clients never get them: package v2 writes responses of another form for
// these errors.
const (
	// The codes of a failed OpUsers. Clients get the Cause.
	CodeUsersNotFound  Code = 1001
	CodeUsersConflict  Code = 1002
	CodeUsersForbidden Code = 1003
	CodeUsersInvalid   Code = 1004
	// CodeAuthChanged says that the command was not executed, because the users, the roles or
	// the auth switch have changed since it was authorized. The proposer may authorize and
	// propose it again.
	CodeAuthChanged Code = 1005
	// CodeFollowing says that the command was not executed, because the cluster follows a running etcd. See View.Mirror.
	CodeFollowing Code = 1006
	// The codes of a failed OpMirror, beside CodeInvalidField. CodeNotFollowing says that the cluster follows no etcd.
	// CodeMirrorIndex says that the After of the change is not the index of the tree, which is the Index of the error.
	CodeNotFollowing Code = 1007
	CodeMirrorIndex  Code = 1008

	// CodeCompacted says that the history no longer holds a revision. CodeFutureRevision says that there is no such revision yet. The
	// v3 API returns them.
	CodeCompacted      Code = 1010
	CodeFutureRevision Code = 1011

	// The codes of commands of the v3 API.

	// CodeEmptyKey says that a key, or the first key of a range, is empty. CodeKeyTooLong says that it is longer than MaxKeyBytes.
	CodeEmptyKey   Code = 1020
	CodeKeyTooLong Code = 1021
	// CodeKeyMissing says that a put with IgnoreValue or IgnoreLease found no key, or that an operation of a transaction is empty.
	CodeKeyMissing Code = 1022
	// CodeValueProvided and CodeLeaseProvided say that a put has a value beside IgnoreValue, or a lease beside IgnoreLease.
	CodeValueProvided Code = 1023
	CodeLeaseProvided Code = 1024
	// The codes of transactions: see KVTxn.Check.
	CodeTooManyOps     Code = 1025
	CodeDuplicateKey   Code = 1026
	CodeInvalidCompare Code = 1027
	CodeInvalidSort    Code = 1028
	// CodeResultTooLarge says that the response to a request would be too large: see Store.SetResultLimit and RangeQuery.RunWithin.
	CodeResultTooLarge Code = 1029
	// The codes of leases. CodeLeaseTTL says that the TTL of a lease is less than one second; CodeLeaseTTLTooLarge that it is more than
	// MaxLeaseTTL.
	CodeLeaseNotFound    Code = 1030
	CodeLeaseExists      Code = 1031
	CodeLeaseTTL         Code = 1032
	CodeLeaseTTLTooLarge Code = 1033
)

var messages = map[Code]string{
	CodeKeyNotFound:    "Key not found",
	CodeCompareFailed:  "Compare failed",
	CodeNotFile:        "Not a file",
	CodeNotDir:         "Not a directory",
	CodeKeyExists:      "Key already exists",
	CodeRootReadOnly:   "Root is read only",
	CodeDirNotEmpty:    "Directory not empty",
	CodeUnauthorized:   "The request requires user authentication",
	CodeQuotaExceeded:  "Quota exceeded",
	CodePrevValue:      "PrevValue is Required in POST form",
	CodeTTLNaN:         "The given TTL in POST form is not a number",
	CodeIndexNaN:       "The given index in POST form is not a number",
	CodeInvalidField:   "Invalid field",
	CodeInvalidForm:    "Invalid POST form",
	CodeRefreshValue:   "Value provided on refresh",
	CodeRefreshTTL:     "A TTL must be provided on refresh",
	CodeRaftInternal:   "Raft Internal Error",
	CodeLeaderElection: "During Leader Election",
	CodeWatcherCleared: "watcher is cleared due to etcd recovery",
	CodeHistoryCleared: "The event in requested index is outdated and cleared",
}

// Message returns the text that the v2 API sends with the code.
func (c Code) Message() string {
	if m, ok := messages[c]; ok {
		return m
	}
	return unknownErrorMessage
}

// CauseTimedOut is the Cause of the error for a request that was not committed in time.
// The request may still be executed. Clients depend on the text.
const CauseTimedOut = "etcdserver: request timed out"

// CauseStopped is the Cause of the error for a request that was waiting when the server
// stopped. Clients depend on the text.
const CauseStopped = "etcdserver: server stopped"

// Error is an error of the v2 API. Clients get it as a JSON body with errorCode,
// message, cause and index.
type Error struct {
	Code Code
	// Cause is a path, a failed comparison or the name of a field, depending on the code.
	Cause string
	// Index is the index of the tree at the time of the error. It is zero if the request
	// did not reach the tree.
	Index uint64
	// Revision is the first revision that the history holds, in an error of CodeCompacted. The v2 API does not show it.
	Revision uint64
}

// NewError makes an Error without an index.
func NewError(code Code, cause string) *Error { return &Error{Code: code, Cause: cause} }

// Error returns code, message, cause and index in the format of the command-line client.
func (e *Error) Error() string {
	return fmt.Sprintf("%d: %s (%s) [%d]", e.Code, e.Code.Message(), e.Cause, e.Index)
}

// AppendJSON appends the error as the v2 API sends it, with a newline at the end.
func (e *Error) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"errorCode":`...)
	dst = appendInt(dst, int64(e.Code))
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, e.Code.Message())
	if e.Cause != "" {
		dst = append(dst, `,"cause":`...)
		dst = appendString(dst, e.Cause)
	}
	dst = append(dst, `,"index":`...)
	dst = appendUint(dst, e.Index)
	return append(dst, "}\n"...)
}
