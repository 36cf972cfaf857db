package stats

import (
	"sync"
	"time"
)

// Server has the statistics of a member for /v2/stats/self: its name and ID, its leader, and the append requests between it and
// its peers.
type Server struct {
	name  string
	id    uint64
	start time.Time
	now   func() time.Time

	mu        sync.Mutex
	leader    uint64 // zero while there is none
	since     time.Time
	recv      window
	recvCount uint64
	sent      window
	sentCount uint64
}

// The two states of the API. The API shows a candidate as a follower.
const (
	stateLeader   = "StateLeader"
	stateFollower = "StateFollower"
)

// selfBody is the response body. The names, their order and the omissions are part of the API.
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

// NewServer returns the statistics of the member with this name and ID, without a leader.
func NewServer(name string, id uint64, now func() time.Time) *Server {
	return &Server{name: name, id: id, start: now(), now: now}
}

// BecomeLeader records that this member leads. If another member or none led before, the time of this leader begins now.
func (s *Server) BecomeLeader() { s.Follow(s.id) }

// Follow records the leader of this member. If another member led before, the time of the new leader begins now.
func (s *Server) Follow(leader uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leader != leader {
		s.leader, s.since = leader, s.now()
	}
}

// LoseLeader records that this member has no leader. Until it has one, the body shows an empty leader, "0s" and the zero time.
func (s *Server) LoseLeader() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leader, s.since = 0, time.Time{}
}

// RecvAppend counts an append request from the leader, and its size in bytes.
func (s *Server) RecvAppend(bytes int) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recvCount++
	s.recv.add(now, bytes)
}

// SendAppend counts an append request to a follower, and its size in bytes.
func (s *Server) SendAppend(bytes int) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sentCount++
	s.sent.add(now, bytes)
}

// JSON returns the body of /v2/stats/self, without a newline. The caller owns it.
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
		RecvAppendRequestCnt: s.recvCount,
		SendAppendRequestCnt: s.sentCount,
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
