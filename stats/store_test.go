package stats

import (
	"sync"
	"testing"
)

func TestStoreSnapshotJSON(t *testing.T) {
	s := StoreSnapshot{
		GetsSuccess: 1, GetsFail: 2, SetsSuccess: 3, SetsFail: 4,
		DeleteSuccess: 5, DeleteFail: 6, UpdateSuccess: 7, UpdateFail: 8,
		CreateSuccess: 9, CreateFail: 10, CompareAndSwapSuccess: 11, CompareAndSwapFail: 12,
		CompareAndDeleteSuccess: 13, CompareAndDeleteFail: 14, ExpireCount: 15, Watchers: 16,
	}
	checkBody(t, s.JSON(),
		`{"getsSuccess":1,"getsFail":2,"setsSuccess":3,"setsFail":4,"deleteSuccess":5,"deleteFail":6,"updateSuccess":7,`+
			`"updateFail":8,"createSuccess":9,"createFail":10,"compareAndSwapSuccess":11,"compareAndSwapFail":12,`+
			`"compareAndDeleteSuccess":13,"compareAndDeleteFail":14,"expireCount":15,"watchers":16}`)
	// Zeros are not omitted.
	checkBody(t, StoreSnapshot{}.JSON(),
		`{"getsSuccess":0,"getsFail":0,"setsSuccess":0,"setsFail":0,"deleteSuccess":0,"deleteFail":0,"updateSuccess":0,`+
			`"updateFail":0,"createSuccess":0,"createFail":0,"compareAndSwapSuccess":0,"compareAndSwapFail":0,`+
			`"compareAndDeleteSuccess":0,"compareAndDeleteFail":0,"expireCount":0,"watchers":0}`)
}

func TestReads(t *testing.T) {
	var r Reads
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				r.Success()
				r.Success()
				r.Fail()
			}
		})
	}
	wg.Wait()
	if success, fail := r.Counts(); success != 8000 || fail != 4000 {
		t.Errorf("counted %d and %d, want 8000 and 4000", success, fail)
	}
}
