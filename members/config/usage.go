package config

// UsageError marks an error in the command line or the settings. Other errors are those of the operation.
type UsageError struct{ err error }

func (e *UsageError) Error() string { return e.err.Error() }
func (e *UsageError) Unwrap() error { return e.err }

// AsUsage wraps err in a UsageError. It returns nil if err is nil.
func AsUsage(err error) error {
	if err == nil {
		return nil
	}
	return &UsageError{err}
}
