package server

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/members/certs"
	"pando/members/config"
	"pando/raft/transport"
	"pando/storage"
)

// TestStartAfterInterruptedCreate starts a member whose data was created, but nothing was appended: as after a kill.
func TestStartAfterInterruptedCreate(t *testing.T) {
	cfg := config.Default()
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	cfg.Complete()
	log := zap.NewNop()
	from, err := findCluster(t.Context(), cfg, transport.NewClient(nil), log)
	if err != nil {
		t.Fatal(err)
	}
	create := func(id storage.Identity, dir string) {
		disk, err := storage.Create(storage.Options{DataDir: dir, Logger: log, HistorySize: cfg.HistorySize}, id)
		if err != nil {
			t.Fatal(err)
		}
		if err := disk.Close(); err != nil {
			t.Fatal(err)
		}
	}
	create(from.identity, cfg.DataDir)
	m, err := openMember(t.Context(), cfg, noCertificates(t), newMetrics(), log)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	select {
	case <-m.node.Ready():
	case <-time.After(20 * time.Second):
		t.Fatal("the member never came to serve")
	}

	t.Run("with other flags", func(t *testing.T) {
		other := *cfg
		other.DataDir = filepath.Join(t.TempDir(), "data")
		create(storage.Identity{ClusterID: 1, MemberID: 2}, other.DataDir)
		_, err := openMember(t.Context(), &other, noCertificates(t), newMetrics(), log)
		if err == nil || !strings.Contains(err.Error(), "never used") {
			t.Errorf("got %v", err)
		}
	})
}

// TestStopWhileAskingPeers stops a new member while it asks the others whether it was started before. It must not create
// data without an answer.
func TestStopWhileAskingPeers(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	cfg := config.Default()
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	cfg.InitialCluster = map[string][]string{cfg.Name: {config.DefaultPeerURL}, "other": {"http://" + silent.Addr().String()}}
	cfg.Complete()
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		if c, err := silent.Accept(); err == nil {
			defer c.Close()
		}
		stop()
	}()
	if _, err := openMember(ctx, cfg, noCertificates(t), newMetrics(), zap.NewNop()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(cfg.DataDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data directory: %v", err)
	}
}

// noCertificates returns the source of a member without files for TLS.
func noCertificates(t *testing.T) *certs.Source {
	t.Helper()
	source, err := certs.Open(certs.Options{}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	return source
}
