package main

// usageError marks an error in what the user asked for, as against one in carrying it out.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// asUsage marks an error, if there is one, as one in what the user asked for.
func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}
