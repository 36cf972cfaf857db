package server

import (
	"context"
	"fmt"
	"time"

	"pando/members"
	"pando/members/config"
	"pando/members/server/systemd"
)

const (
	// readyLimit is how long systemd waits for a process that waits for others. After it the start counts as complete: a cluster whose
	// members are started one after the other could not start otherwise.
	readyLimit = 5 * time.Second
	// The state of a member is read at each statusInterval. The text for systemd is renewed at once if the member has another role, and
	// otherwise at each indexInterval.
	statusInterval = time.Second
	indexInterval  = 30 * time.Second
)

// reportStart reports to systemd that the process starts, until the caller calls stop. A process without data has nothing to read: it
// becomes ready within readyLimit. A member with data becomes ready after it has read them, however long that takes.
func reportStart(cfg *config.Config, s *systemd.Service) (stop func()) {
	ctx, stop := context.WithCancel(context.Background())
	s.Status("starting: reads its data or waits for its cluster")
	go s.ExtendStart(ctx)
	if exists, err := hasData(cfg); err != nil || !exists {
		go s.ReadyAfter(ctx, readyLimit)
	}
	return stop
}

// reportState reports the state of a member that has read its data to systemd, until ctx ends. The start is complete when the member has
// a leader and has caught up, as for the reference, or after readyLimit.
func (m *member) reportState(ctx context.Context, s *systemd.Service) {
	if !s.Enabled() {
		return
	}
	go s.ReadyAfter(ctx, readyLimit)
	ticks := time.NewTicker(statusInterval)
	defer ticks.Stop()
	ready := m.node.Ready()
	reported, at := "", time.Time{}
	for {
		if role := m.role(); role != reported || time.Since(at) >= indexInterval {
			reported, at = role, time.Now()
			s.Status(fmt.Sprintf("%s, index %d", role, m.node.Index()))
		}
		select {
		case <-ready:
			ready = nil
			s.Ready()
		case <-ticks.C:
		case <-m.node.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// role describes the part of the member in its cluster, and what is wrong with it.
func (m *member) role() string {
	leader, registry := m.node.Leader(), m.node.Members()
	self, _ := registry.Get(m.observer.self)
	text := "no leader, waits for a quorum"
	switch {
	case leader == m.observer.self:
		text = "leader"
	case leader != 0 && self.Learner:
		text = "learner, leader " + describeMember(registry, leader)
	case leader != 0:
		text = "follower, leader " + describeMember(registry, leader)
	}
	text += fmt.Sprintf(", members %d, term %d", len(registry.List()), m.node.Term())
	if since, err := m.node.CheckpointFailing(); err != nil {
		text += ", checkpoints have failed since " + since.UTC().Format(time.RFC3339)
	}
	return text
}

// describeMember returns the name and the ID of a member.
func describeMember(registry *members.Registry, id members.ID) string {
	if m, ok := registry.Get(id); ok && m.Name != "" {
		return fmt.Sprintf("%s (%s)", m.Name, id)
	}
	return id.String()
}
