package storage

// tornWrite decides whether the bytes after the last whole record of the last segment are a
// torn write: the remains of the one write that a crash interrupted. A disk writes each sector
// whole or not at all. So a torn write consists of intact records, of records with whole
// sectors of zeros, and of fragments of such records. Anything else is damage.
type tornWrite struct {
	rest    []byte // the bytes, without the zeros at the end of the file; reach may append zeros
	end     int    // length of rest without those zeros
	fileEnd int64  // bytes up to the end of the file
	offset  int64  // of rest in the file
	pos     int    // in rest
	// inSync says that a frame begins at pos.
	inSync bool
	// crcKnown says that crc is the checksum of the record before.
	crcKnown bool
	crc      uint32
	fragment int // bytes before pos, after lost sectors, that belong to no record
	// log reads the records. It is a copy, because a torn write must not change the result.
	log replay
}

// check returns nil for a torn write, and otherwise an error that says what is damaged.
func (t *tornWrite) check() error {
	for t.pos < t.end {
		if err := t.step(); err != nil {
			return err
		}
	}
	return nil
}

// step reads the frame at pos, or skips lost sectors.
func (t *tornWrite) step() error {
	switch {
	case allZero(t.head()):
		return t.skipZeros()
	case t.inSync:
		return t.frame()
	}
	// Here it is not known where a record begins. A frame counts as a record when the next
	// one is chained to it.
	if rec, size, ok := t.frameAt(t.pos); ok {
		if next, _, ok := t.frameAt(t.pos + size); ok && next.chained(rec.crc) {
			return t.accept(rec, size)
		}
	}
	t.pos += frameHeadBytes
	if t.fragment += frameHeadBytes; t.fragment > hardStateBytes {
		return t.log.lostMore()
	}
	return nil
}

// hardStateBytes is the largest size of the frame of a hard state.
const hardStateBytes = 56

// head returns the length field of the frame at pos.
func (t *tornWrite) head() []byte {
	t.reach(int64(t.pos) + frameHeadBytes)
	return t.rest[t.pos : t.pos+frameHeadBytes]
}

// reach extends rest with zeros to this length.
func (t *tornWrite) reach(size int64) {
	if more := size - int64(len(t.rest)); more > 0 {
		t.rest = append(t.rest, make([]byte, more)...)
	}
}

// skipZeros skips lost sectors. Frames begin at multiples of 8 bytes, so the length field of a
// frame is lost only together with the rest of its sector.
func (t *tornWrite) skipZeros() error {
	if t.inSync {
		if !allZero(t.rest[t.pos:min(int(t.nextSector()), t.end)]) {
			return damaged("the length of a record is missing")
		}
		t.inSync, t.crcKnown = false, false
		if err := t.log.lost(0); err != nil {
			return err
		}
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
		return damaged("the length of a record is impossible")
	}
	rec, size, parsed := t.frameAt(t.pos)
	switch {
	case parsed && t.crcKnown && rec.chained(t.crc):
		return t.accept(rec, size)
	case (t.crcKnown || !parsed) && !t.lostSectors(h):
		return damaged("a record fails its checksum")
	}
	if !t.confirmed(h) {
		t.inSync, t.fragment = false, 0
		t.pos += frameHeadBytes
		return t.log.lost(0)
	}
	kind := int64(0)
	if t.crcKnown = parsed; parsed {
		kind, t.crc = rec.kind, rec.crc
	}
	t.pos = int(min(int64(t.pos)+h.size(), t.fileEnd))
	return t.log.lost(kind)
}

func (t *tornWrite) accept(rec record, size int) error {
	t.crc, t.inSync, t.crcKnown = rec.crc, true, true
	t.pos += size
	return t.log.record(rec)
}

// frameAt reads the frame at a place in rest. It reports false if there is no whole one.
func (t *tornWrite) frameAt(pos int) (rec record, size int, ok bool) {
	if pos >= t.end {
		return rec, 0, false
	}
	t.reach(int64(pos) + frameHeadBytes)
	h, ok := parseFrameHead(t.rest[pos:])
	if !ok || h.size() > t.fileEnd-int64(pos) {
		return rec, 0, false
	}
	t.reach(int64(pos) + h.size())
	body := t.rest[pos+frameHeadBytes : int64(pos)+h.size()]
	rec, ok = parseRecord(body[:h.record])
	return rec, int(h.size()), ok && allZero(body[h.record:])
}

// lostSectors reports whether the frame at pos, whose length field is intact, has lost
// whole sectors or ends beyond the end of the file.
func (t *tornWrite) lostSectors(h frameHead) bool {
	end := int64(t.pos) + frameHeadBytes + h.record
	lost := end+h.padding > t.fileEnd
	if lost {
		end = t.fileEnd
	}
	t.reach(end)
	if claimed, ok := recordBytes(t.firstBytes(h)); ok && claimed != h.record {
		return false
	}
	for at := t.nextSector(); at < end && !lost; at += sectorBytes {
		// The whole sector counts: if the next record in it is intact, the disk has written it.
		lost = at >= int64(t.end) || allZero(t.rest[at:min(at+sectorBytes, int64(t.end))])
	}
	return lost
}

// confirmed reports whether the record at pos begins with a length that agrees with its
// frame.
func (t *tornWrite) confirmed(h frameHead) bool {
	claimed, ok := recordBytes(t.firstBytes(h))
	return ok && claimed == h.record
}

// firstBytes returns the bytes of a record that lie in the same sector as the length field of
// its frame. The disk has written them together.
func (t *tornWrite) firstBytes(h frameHead) []byte {
	begin := int64(t.pos) + frameHeadBytes
	end := min(t.nextSector(), begin+h.record, t.fileEnd)
	t.reach(end)
	return t.rest[begin:end]
}

// nextSector is the offset in rest at which the sector after that of pos begins.
func (t *tornWrite) nextSector() int64 {
	return int64(t.pos) + sectorBytes - (t.offset+int64(t.pos))%sectorBytes
}
