package users

import "errors"

// Kind is the reason why a change fails.
type Kind uint8

// The kinds of errors.
const (
	// NotFound: the user or the role does not exist.
	NotFound Kind = iota + 1
	// Conflict: the change contradicts the State.
	Conflict
	// Forbidden: the user or the role must not be changed in this way.
	Forbidden
	// Invalid: the change is incomplete, or changes nothing.
	Invalid
)

// Error is the reason why Apply refuses a change.
type Error struct {
	Kind Kind
	// Text is the text that clients get. It begins with "auth: ".
	Text string
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

var (
	// ErrBadChange is returned for bytes that are not an encoded Change.
	ErrBadChange = errors.New("users: not an encoded change")
	// ErrBadState is returned for bytes that are not the stored form of a State.
	ErrBadState = errors.New("users: not a stored state")
)
