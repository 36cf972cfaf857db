package server

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestBackendRemains removes the file that a process has left that was killed while it wrote a snapshot.
func TestBackendRemains(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, backendFile)
	if err := os.WriteFile(path, []byte("left"), 0o600); err != nil {
		t.Fatal(err)
	}
	newBackend(nil, dir)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}
