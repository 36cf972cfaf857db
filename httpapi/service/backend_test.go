package service

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pando/tree"
)

// fileBackend opens files with the content "file".
type fileBackend struct{ Backend }

func (fileBackend) OpenFile(context.Context, *tree.KeyLog) (io.ReadCloser, int64, error) {
	return io.NopCloser(strings.NewReader("file")), 4, nil
}

// TestOpenBackendWaits opens a file while another one is open.
func TestOpenBackendWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newTestService(t, nil)
		s.cfg.Backend = fileBackend{}
		first, _, err := s.OpenSnapshot(t.Context(), guest, Local)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := s.OpenBackend(ctx, guest); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a deadline: got %v", err)
		}
		if _, _, err := s.OpenBackend(t.Context(), guest); !errors.Is(err, ErrSnapshotBusy) {
			t.Errorf("after %v: got %v", snapshotWait, err)
		}
		time.AfterFunc(snapshotWait/2, func() {
			if err := first.Close(); err != nil {
				t.Error(err)
			}
		})
		second, size, err := s.OpenBackend(t.Context(), guest)
		if err != nil || size != 4 {
			t.Fatalf("after the first one was closed: %d bytes, %v", size, err)
		}
		if _, _, err := s.OpenSnapshot(t.Context(), guest, Local); !errors.Is(err, ErrSnapshotBusy) {
			t.Errorf("a snapshot of Pando: got %v, want %v", err, ErrSnapshotBusy)
		}
		if err := second.Close(); err != nil {
			t.Error(err)
		}
	})
}
