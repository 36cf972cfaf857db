package server

import (
	"fmt"

	"go.uber.org/zap"

	"pando/httpapi/audit"
	"pando/members/config"
	"pando/members/server/systemd"
	"pando/stats"
)

// openAudit opens the audit log, and opens its file again at each SIGHUP, like those of the process' log. The caller must call stop when
// nothing is recorded any more. Without --audit-log the Recorder is nil.
func openAudit(
	cfg *config.Config, metrics *stats.Metrics, s *systemd.Service, log *zap.Logger,
) (recorder audit.Recorder, stop func(), err error) {
	if cfg.AuditLog == "" {
		return nil, func() {}, nil
	}
	records, err := audit.Open(audit.Config{
		Path: cfg.AuditLog, Stdout: cfg.Stdout, Reads: cfg.AuditReads, Metrics: metrics.Audit(), Logger: log.Named("audit"),
	})
	if err != nil {
		return nil, nil, config.AsUsage(cfg.FlagError("audit-log", fmt.Sprintf("cannot write the audit log: %v", config.UnwrapPath(err)),
			"use stdout or a file in a directory that exists and can be written"))
	}
	remove := s.OnReload(func() { reopenAudit(records, log) })
	return records, func() {
		remove()
		records.Close()
	}, nil
}

// reopenAudit opens the file of the audit log again, and logs the result.
func reopenAudit(records *audit.Log, log *zap.Logger) {
	if err := records.Reopen(); err != nil {
		log.Error("SIGHUP: the audit log can't be opened again; the old file is still in use", zap.Error(err))
		return
	}
	log.Info("SIGHUP: the audit log was opened again")
}
