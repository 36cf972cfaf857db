package server

import (
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"pando/members/config"
	"pando/members/server/systemd"
)

// TestOpenAudit opens the audit log of a configuration.
func TestOpenAudit(t *testing.T) {
	t.Run("none", func(t *testing.T) {
		recorder, stop, err := openAudit(config.Default(), newMetrics(), systemd.New(zap.NewNop()), zap.NewNop())
		if err != nil || recorder != nil {
			t.Fatalf("got %v, %v", recorder, err)
		}
		stop()
	})
	t.Run("a file", func(t *testing.T) {
		cfg := config.Default()
		cfg.AuditLog = filepath.Join(t.TempDir(), "audit.log")
		recorder, stop, err := openAudit(cfg, newMetrics(), systemd.New(zap.NewNop()), zap.NewNop())
		if err != nil || recorder == nil {
			t.Fatalf("got %v, %v", recorder, err)
		}
		stop()
	})
	t.Run("a directory that does not exist", func(t *testing.T) {
		cfg := config.Default()
		cfg.AuditLog = filepath.Join(t.TempDir(), "none", "audit.log")
		_, _, err := openAudit(cfg, newMetrics(), systemd.New(zap.NewNop()), zap.NewNop())
		if err == nil || !strings.Contains(err.Error(), "--audit-log: cannot write the audit log: ") ||
			!strings.Contains(err.Error(), "no such file or directory") {
			t.Errorf("got %v", err)
		}
	})
}
