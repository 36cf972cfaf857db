package service

import (
	"context"
	"fmt"

	"pando/tree"
)

// The quota (Config.QuotaBytes) bounds the bytes of the keys and values in the tree. The member that serves a write checks it with its
// current view, before the log: all members must apply an entry of the log alike. So writes in flight may exceed the quota by what they
// add together, and so may a write on a member that has not applied the newest entries. Changes of a mirror are not refused: they were
// made in the source already.

// withinQuota returns an error if the tree has reached the quota and the command would make it larger.
func (s *Service) withinQuota(view *tree.View, c *tree.Command) error {
	if !s.quotaReached(view) {
		return nil
	}
	return s.refuseGrowth(view, view.Growth(c))
}

// txnWithinQuota is withinQuota for a transaction. Only the list that would be executed in the view counts.
func (s *Service) txnWithinQuota(view *tree.View, t *tree.Txn) error {
	if !s.quotaReached(view) {
		return nil
	}
	return s.refuseGrowth(view, view.TxnGrowth(t))
}

// quotaReached reports whether there is a quota and the view has reached it.
func (s *Service) quotaReached(view *tree.View) bool {
	return s.cfg.QuotaBytes != 0 && view.Bytes() >= s.cfg.QuotaBytes
}

// refuseGrowth returns an error if a write would add bytes to a view that has reached the quota.
func (s *Service) refuseGrowth(view *tree.View, growth int64) error {
	if growth <= 0 {
		return nil
	}
	return &tree.Error{Code: tree.CodeQuotaExceeded, Index: view.Index(), Cause: fmt.Sprintf(
		"the keys and values have %d bytes, the quota is %d (--quota-bytes), and the write would add %d; "+
			"delete keys, or raise the quota on all members",
		view.Bytes(), s.cfg.QuotaBytes, growth)}
}

// checkQuota checks that the tree has not reached the quota.
func (s *Service) checkQuota(context.Context) error {
	view := s.cfg.Tree.View()
	if !s.quotaReached(view) {
		return nil
	}
	return fmt.Errorf("the keys and values have %d bytes and the quota is %d (--quota-bytes); writes that add bytes are refused",
		view.Bytes(), s.cfg.QuotaBytes)
}
