package stats

import "sync/atomic"

// Reads counts the gets that this member has answered since its start. Gets are not in the log, so each member counts its own.
// The zero value is ready to use. It must not be copied.
type Reads struct {
	success, fail atomic.Uint64
}

// Success counts a get that found its node.
func (r *Reads) Success() { r.success.Add(1) }

// Fail counts a get that was answered with an error.
func (r *Reads) Fail() { r.fail.Add(1) }

// Counts returns the counts of Success and Fail.
func (r *Reads) Counts() (success, fail uint64) { return r.success.Load(), r.fail.Load() }

// StoreSnapshot is the body of /v2/stats/store. The names and their order are part of the API. The counts of gets come from
// Reads, all others from the replicated tree.
type StoreSnapshot struct {
	GetsSuccess             uint64 `json:"getsSuccess"`
	GetsFail                uint64 `json:"getsFail"`
	SetsSuccess             uint64 `json:"setsSuccess"`
	SetsFail                uint64 `json:"setsFail"`
	DeleteSuccess           uint64 `json:"deleteSuccess"`
	DeleteFail              uint64 `json:"deleteFail"`
	UpdateSuccess           uint64 `json:"updateSuccess"`
	UpdateFail              uint64 `json:"updateFail"`
	CreateSuccess           uint64 `json:"createSuccess"`
	CreateFail              uint64 `json:"createFail"`
	CompareAndSwapSuccess   uint64 `json:"compareAndSwapSuccess"`
	CompareAndSwapFail      uint64 `json:"compareAndSwapFail"`
	CompareAndDeleteSuccess uint64 `json:"compareAndDeleteSuccess"`
	CompareAndDeleteFail    uint64 `json:"compareAndDeleteFail"`
	ExpireCount             uint64 `json:"expireCount"`
	Watchers                uint64 `json:"watchers"`
}

// JSON returns the body of /v2/stats/store, without a newline. The caller owns it.
func (s StoreSnapshot) JSON() []byte { return encode(s) }
