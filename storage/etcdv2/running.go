package etcdv2

import (
	"fmt"
	"os"
)

// refuseRunning returns ErrRunning if a process has locked a file of the log, as etcd does while it runs.
func (s *source) refuseRunning() error {
	for _, l := range s.logs {
		f, err := os.Open(l.path)
		if err != nil {
			return err
		}
		locked := isLocked(f)
		f.Close()
		if locked {
			return fmt.Errorf("%w: a process has locked %s: stop etcd first, or import a copy of the directory", ErrRunning, l.path)
		}
	}
	return nil
}
