package server

import (
	"errors"
	"fmt"

	"pando/members/config"
	"pando/raft"
)

// Divisors of the memory limit: the largest part of it that a bound may have by default.
const (
	catchUpShare  = 16 // a sixteenth for the log that is kept in memory
	inflightShare = 8  // an eighth for large requests and answers
	grpcShare     = 8  // an eighth for requests, streams and responses of gRPC
	pinnedShare   = 8  // an eighth for pinned states of the tree
	historyShare  = 8  // an eighth for the history of the v3 API
	responseShare = 4  // a quarter for one response of the v3 API
	removedShare  = 64 // a sixty-fourth for removed directories
)

// checkLimits checks that the log and the peers can carry requests of the configured size. It returns all problems,
// joined; each is a *FlagError.
func checkLimits(cfg *config.Config) error {
	var errs []error
	if most := raft.LargestRequest(cfg.ElectionTimeout); cfg.RequestBytes() > most {
		errs = append(errs, cfg.FlagError("max-request-bytes",
			fmt.Sprintf("%d is too much for an --election-timeout of %dms: the other members would elect another leader "+
				"before such a request has reached them", cfg.RequestBytes(), cfg.ElectionTimeout.Milliseconds()),
			fmt.Sprintf("set it to %d or less, or raise --election-timeout on all members", most)))
	}
	if least := raft.LeastCatchUp(cfg.RequestBytes()); cfg.CatchUpBytes != 0 && cfg.CatchUpBytes < least {
		errs = append(errs, cfg.FlagError("catch-up-bytes", fmt.Sprintf("%d has no room for four of the largest requests", cfg.CatchUpBytes),
			fmt.Sprintf("set it to %d or more, or leave it out", least)))
	}
	return errors.Join(errs...)
}

// fitToMemory returns cfg for a process that may use memory bytes: bounds with their default
// value are smaller if the memory is small.
func fitToMemory(cfg *config.Config, memory int64) *config.Config {
	fitted := *cfg
	if share := memory / catchUpShare; fitted.CatchUpBytes == 0 && share < raft.DefaultCatchUp {
		fitted.CatchUpBytes = max(share, raft.LeastCatchUp(cfg.RequestBytes()))
	}
	if share := memory / inflightShare; fitted.MaxInflightBytes == config.DefaultMaxInflight {
		fitted.MaxInflightBytes = max(config.MinMaxInflight, min(share, config.DefaultMaxInflight))
	}
	if share := memory / grpcShare; fitted.MaxGRPCBytes == config.DefaultMaxGRPC {
		fitted.MaxGRPCBytes = max(config.MinMaxGRPC, min(share, config.DefaultMaxGRPC))
	}
	if share := memory / pinnedShare; fitted.MaxPinnedBytes == config.DefaultMaxPinned {
		fitted.MaxPinnedBytes = min(share, config.DefaultMaxPinned)
	}
	if share := memory / historyShare; fitted.HistoryBytes == config.DefaultHistoryBytes {
		fitted.HistoryBytes = min(share, config.DefaultHistoryBytes)
	}
	if share := memory / responseShare; fitted.MaxResponseBytes == config.DefaultMaxResponse {
		fitted.MaxResponseBytes = min(share, config.DefaultMaxResponse)
	}
	if share := memory / removedShare; fitted.HistoryRemovedBytes == config.DefaultHistoryRemoved {
		fitted.HistoryRemovedBytes = min(share, config.DefaultHistoryRemoved)
	}
	return &fitted
}
