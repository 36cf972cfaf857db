package httpapi

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// logInterval is the shortest time between two lines of a limitedLog.
const logInterval = 10 * time.Second

// limitedLog writes log lines about events that a client can cause at any rate. Its methods may be called from any goroutine.
type limitedLog struct {
	log  *zap.Logger
	name string // of the group of listeners

	mu       sync.Mutex
	unlogged int       // events since the last line
	logged   time.Time // when the last line was written
}

// report writes a log line, unless the last line was written less than logInterval ago. Then it counts the event for the next line.
func (l *limitedLog) report(text string, fields ...zap.Field) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unlogged++
	if now := time.Now(); now.Sub(l.logged) >= logInterval {
		l.log.Warn(text, append(fields, zap.String("listener", l.name), zap.Int("times", l.unlogged))...)
		l.unlogged, l.logged = 0, now
	}
}
