package server

import (
	"errors"
	"fmt"

	"pando/members/config"
	"pando/raft"
)

// How much of a small memory is left to what can be made smaller.
const (
	catchUpShare  = 16 // the log that stays in memory is that part of it
	inflightShare = 8  // large requests and answers hold that part of it
)

// checkLimits makes sure that the log and the peers can serve the limits that were asked for. Its errors are
// *FlagError, all of them joined.
func checkLimits(cfg *config.Config) error {
	var errs []error
	if most := raft.LargestRequest(cfg.ElectionTimeout); cfg.RequestBytes() > most {
		errs = append(errs, cfg.FlagError("max-request-bytes",
			fmt.Sprintf("%d is too much for an --election-timeout of %dms: the other members would elect another leader before such a request has reached them",
				cfg.RequestBytes(), cfg.ElectionTimeout.Milliseconds()),
			fmt.Sprintf("set it to %d or less, or raise --election-timeout on all members", most)))
	}
	if least := raft.LeastCatchUp(cfg.RequestBytes()); cfg.CatchUpBytes != 0 && cfg.CatchUpBytes < least {
		errs = append(errs, cfg.FlagError("catch-up-bytes", fmt.Sprintf("%d has no room for four of the largest requests", cfg.CatchUpBytes),
			fmt.Sprintf("set it to %d or more, or leave it out", least)))
	}
	return errors.Join(errs...)
}

// within gives the configuration for a process that may use so many bytes of memory: with
// few, less of the log and of large requests is there, unless the operator says how much.
func within(cfg *config.Config, memory int64) *config.Config {
	w := *cfg
	if share := memory / catchUpShare; w.CatchUpBytes == 0 && share < raft.DefaultCatchUp {
		w.CatchUpBytes = max(share, raft.LeastCatchUp(cfg.RequestBytes()))
	}
	if share := memory / inflightShare; w.MaxInflightBytes == config.DefaultMaxInflight {
		w.MaxInflightBytes = max(config.MinMaxInflight, min(share, config.DefaultMaxInflight))
	}
	return &w
}
