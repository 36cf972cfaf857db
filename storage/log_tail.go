package storage

// tornWrite walks over what lies behind the last whole record of the last segment.
type tornWrite struct {
	rest   []byte // what lies there, without the zeros at the end of the file
	end    int    // where those begin, though rest may be longer by some of them
	whole  int64  // bytes up to the end of the file
	offset int64  // of rest in the file
	pos    int    // in rest
	// inSync says that a frame begins at pos, crcKnown that crc is the checksum of the
	// record before.
	inSync, crcKnown bool
	crc              uint32
	fragment         int // bytes before pos that belong to no record, behind lost ones
	records          *unsynced
}

// judge gives nil for a torn write, and says what is damaged otherwise. Damage it must
// be, unless the loss of whole sectors explains what is there, since a disk writes a
// sector whole or not at all, and unless all of it can belong to the one write that a
// crash interrupted.
func (t *tornWrite) judge() error {
	for t.pos < t.end {
		if err := t.step(); err != nil {
			return err
		}
		if t.records.at == 0 {
			return damaged("a record fails its checksum, and what follows was written after it was synced")
		}
	}
	return nil
}

// step goes on to the next place. An error says that no loss of sectors explains what is
// there.
func (t *tornWrite) step() error {
	switch {
	case allZero(t.head()):
		return t.zeros()
	case t.inSync:
		return t.frame()
	}
	// A record is believed here if another one is chained to it.
	if rec, size, ok := t.frameAt(t.pos); ok {
		if next, _, ok := t.frameAt(t.pos + size); ok && next.chained(rec.crc) {
			t.accept(rec, size)
			return nil
		}
	}
	t.pos += frameHeadBytes
	if t.fragment += frameHeadBytes; t.fragment > hardStateBytes {
		t.records.lostLarge()
	}
	return nil
}

// hardStateBytes is the most that the frame of a hard state takes up.
const hardStateBytes = 56

// head is the length of the frame at pos.
func (t *tornWrite) head() []byte {
	t.reach(int64(t.pos) + frameHeadBytes)
	return t.rest[t.pos : t.pos+frameHeadBytes]
}

// reach makes rest so long.
func (t *tornWrite) reach(size int64) {
	if more := size - int64(len(t.rest)); more > 0 {
		t.rest = append(t.rest, make([]byte, more)...)
	}
}

// zeros passes over lost sectors. Frames begin at multiples of 8 bytes, so the length
// of a frame is lost together with all else in its sector.
func (t *tornWrite) zeros() error {
	if t.inSync {
		if !allZero(t.rest[t.pos:min(int(t.nextSector()), t.end)]) {
			return damaged("the length of a record is missing")
		}
		t.records.lost(0)
		t.inSync, t.crcKnown = false, false
	}
	for t.fragment = 0; t.pos < t.end && allZero(t.head()); {
		t.pos += frameHeadBytes
	}
	return nil
}

// frame takes the frame at pos, whole or not.
func (t *tornWrite) frame() error {
	h, ok := parseFrameHead(t.head())
	if !ok {
		return damaged("the length of a record is none")
	}
	rec, size, parsed := t.frameAt(t.pos)
	switch {
	case parsed && t.crcKnown && rec.chained(t.crc):
		t.accept(rec, size)
		return nil
	case (t.crcKnown || !parsed) && !t.lostSectors(h):
		return damaged("a record fails its checksum")
	}
	if !t.sure(h) {
		t.records.lost(0)
		t.inSync, t.fragment = false, 0
		t.pos += frameHeadBytes
		return nil
	}
	kind := int64(0)
	if t.crcKnown = parsed; parsed {
		kind, t.crc = rec.kind, rec.crc
	}
	t.records.lost(kind)
	t.pos = int(min(int64(t.pos)+h.size(), t.whole))
	return nil
}

func (t *tornWrite) accept(rec record, size int) {
	t.records.record(rec)
	t.crc, t.inSync, t.crcKnown = rec.crc, true, true
	t.pos += size
}

// frameAt reads the frame at a place in rest. It reports false if no whole one is there.
func (t *tornWrite) frameAt(pos int) (rec record, size int, ok bool) {
	if pos >= t.end {
		return rec, 0, false
	}
	t.reach(int64(pos) + frameHeadBytes)
	h, ok := parseFrameHead(t.rest[pos:])
	if !ok || h.size() > t.whole-int64(pos) {
		return rec, 0, false
	}
	t.reach(int64(pos) + h.size())
	body := t.rest[pos+frameHeadBytes : int64(pos)+h.size()]
	rec, ok = parseRecord(body[:h.record])
	return rec, int(h.size()), ok && allZero(body[h.record:])
}

// lostSectors reports whether the frame at pos, whose length is there, has lost whole
// sectors, or the rest of the file.
func (t *tornWrite) lostSectors(h frameHead) bool {
	end := int64(t.pos) + frameHeadBytes + h.record
	gone := end+h.padding > t.whole
	if gone {
		end = t.whole
	}
	t.reach(end)
	if claimed, ok := recordBytes(t.near(h)); ok && claimed != h.record {
		return false
	}
	for at := t.nextSector(); at < end && !gone; at += sectorBytes {
		gone = allZero(t.rest[at:min(at+sectorBytes, end)])
	}
	return gone
}

// sure reports whether the beginning of the record at pos confirms its length.
func (t *tornWrite) sure(h frameHead) bool {
	claimed, ok := recordBytes(t.near(h))
	return ok && claimed == h.record
}

// near gives what is of a record in the sector of its length, and was written with it.
func (t *tornWrite) near(h frameHead) []byte {
	begin := int64(t.pos) + frameHeadBytes
	end := min(t.nextSector(), begin+h.record, t.whole)
	t.reach(end)
	return t.rest[begin:end]
}

// nextSector is where the sector after that of pos begins.
func (t *tornWrite) nextSector() int64 {
	return int64(t.pos) + sectorBytes - (t.offset+int64(t.pos))%sectorBytes
}
