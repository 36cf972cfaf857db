package stats

import (
	"sync"
	"time"
)

// Server is what a member says of itself at /v2/stats/self: who it is, whom it
// follows, and the append requests between it and its peers.
type Server struct {
	name  string
	id    uint64
	start time.Time
	now   func() time.Time

	mu       sync.Mutex
	leader   uint64 // zero while there is none
	since    time.Time
	recv     window
	recvSeen uint64
	sent     window
	sentSeen uint64
}

// The two states of the API. A member that campaigns is a follower to it.
const (
	stateLeader   = "StateLeader"
	stateFollower = "StateFollower"
)

// selfBody is the body: the names, their order and the omissions are the API.
type selfBody struct {
	Name                 string     `json:"name"`
	ID                   string     `json:"id"`
	State                string     `json:"state"`
	StartTime            time.Time  `json:"startTime"`
	LeaderInfo           leaderInfo `json:"leaderInfo"`
	RecvAppendRequestCnt uint64     `json:"recvAppendRequestCnt"`
	RecvPkgRate          float64    `json:"recvPkgRate,omitempty"`
	RecvBandwidthRate    float64    `json:"recvBandwidthRate,omitempty"`
	SendAppendRequestCnt uint64     `json:"sendAppendRequestCnt"`
	SendPkgRate          float64    `json:"sendPkgRate,omitempty"`
	SendBandwidthRate    float64    `json:"sendBandwidthRate,omitempty"`
}

type leaderInfo struct {
	Leader    string    `json:"leader"`
	Uptime    string    `json:"uptime"`
	StartTime time.Time `json:"startTime"`
}

// NewServer starts the counting for the member with this name and ID. It knows
// of no leader yet.
func NewServer(name string, id uint64, now func() time.Time) *Server {
	return &Server{name: name, id: id, start: now(), now: now}
}

// BecomeLeader records that this member leads, from now on if it did not.
func (s *Server) BecomeLeader() { s.Follow(s.id) }

// Follow records whom this member follows, from now on if it was another.
func (s *Server) Follow(leader uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leader != leader {
		s.leader, s.since = leader, s.now()
	}
}

// LoseLeader records that this member knows of no leader: the body then has an
// empty leader, "0s" and the zero time, until the next one is known.
func (s *Server) LoseLeader() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leader, s.since = 0, time.Time{}
}

// RecvAppend counts an append request of so many bytes from the leader.
func (s *Server) RecvAppend(bytes int) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recvSeen++
	s.recv.add(now, bytes)
}

// SendAppend counts an append request of so many bytes to one follower.
func (s *Server) SendAppend(bytes int) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sentSeen++
	s.sent.add(now, bytes)
}

// JSON returns the body of /v2/stats/self, without a newline. The caller owns
// it.
func (s *Server) JSON() []byte { return encode(s.body()) }

func (s *Server) body() selfBody {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	b := selfBody{
		Name:                 s.name,
		ID:                   hexID(s.id),
		State:                stateFollower,
		StartTime:            s.start,
		LeaderInfo:           leaderInfo{Uptime: time.Duration(0).String()},
		RecvAppendRequestCnt: s.recvSeen,
		SendAppendRequestCnt: s.sentSeen,
	}
	if s.leader != 0 {
		b.LeaderInfo = leaderInfo{Leader: hexID(s.leader), Uptime: now.Sub(s.since).String(), StartTime: s.since}
	}
	if s.leader == s.id {
		b.State = stateLeader
	}
	b.RecvPkgRate, b.RecvBandwidthRate = s.recv.rates(now)
	b.SendPkgRate, b.SendBandwidthRate = s.sent.rates(now)
	return b
}
