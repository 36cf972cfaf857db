package config

// UsageError marks an error in what the user asked for, as against one in carrying it out.
type UsageError struct{ err error }

func (e *UsageError) Error() string { return e.err.Error() }
func (e *UsageError) Unwrap() error { return e.err }

// AsUsage marks an error, if there is one, as one in what the user asked for.
func AsUsage(err error) error {
	if err == nil {
		return nil
	}
	return &UsageError{err}
}
