package h2

import (
	"bytes"
	"math"

	"golang.org/x/net/http2"
)

// exchange is what a Front and a client send each other before the first request.
type exchange struct {
	*recorder
	framer       *http2.Framer
	acknowledged bool           // the client has acknowledged the SETTINGS of the Front
	settings     clientSettings // that the Front has acknowledged
	firstEnd     int            // the end of the first SETTINGS frame in recorder.bytes
	window       int64          // bytes that the server may send on the connection
	leaving      bool           // the client has sent a GOAWAY: the time limit of that frame is the last one
}

// frameUse says what becomes of a frame before the first request.
type frameUse int

const (
	forServer    frameUse = iota // the server of the connection reads it
	onlyForFront                 // the Front has handled it
	invalidFrame                 // the server of HTTP reads it and sends the error
)

// readFrames reads frames until the first request. An invalid frame counts as a request of HTTP.
func (e *exchange) readFrames() (requestKind, error) {
	for {
		start := len(e.bytes)
		frame, err := e.framer.ReadFrame()
		if err != nil {
			return httpRequest, e.readError(err)
		}
		if headers, ok := frame.(*http2.MetaHeadersFrame); ok && e.settings.frames > 0 {
			return kindOf(headers), nil
		}
		use, err := e.handle(frame)
		switch {
		case err != nil:
			return 0, err
		case use == onlyForFront:
			e.bytes = e.bytes[:start]
		case use == invalidFrame || len(e.bytes) > maxWaiting:
			return httpRequest, nil
		}
		if !e.leaving {
			e.awaitFrame()
		}
	}
}

// readError returns an error of ReadFrame if it is one of the connection, and nil if the frame is invalid.
func (e *exchange) readError(err error) error {
	switch err.(type) {
	case http2.StreamError:
		return nil // the frame is complete
	case http2.ConnectionError:
	default:
		if err != http2.ErrFrameTooLarge {
			return err
		}
	}
	e.acknowledged = true // the server ends the connection: it need not see whole frames
	return nil
}

// handle handles a frame that begins no request. The first frame must be SETTINGS.
func (e *exchange) handle(frame http2.Frame) (frameUse, error) {
	settings, ok := frame.(*http2.SettingsFrame)
	if e.settings.frames == 0 && (!ok || settings.IsAck()) {
		return invalidFrame, nil
	}
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		return e.handleSettings(frame)
	case *http2.PingFrame:
		if frame.IsAck() {
			return onlyForFront, nil
		}
		return onlyForFront, e.framer.WritePing(true, frame.Data)
	case *http2.GoAwayFrame:
		e.leaving = true
		return onlyForFront, nil
	case *http2.PriorityFrame:
		if frame.StreamDep == frame.StreamID {
			return invalidFrame, nil
		}
	case *http2.WindowUpdateFrame:
		if e.window += int64(frame.Increment); frame.StreamID != 0 || e.window > math.MaxInt32 {
			return invalidFrame, nil
		}
	case *http2.DataFrame, *http2.RSTStreamFrame, *http2.PushPromiseFrame:
		return invalidFrame, nil
	}
	return forServer, nil
}

// handleSettings acknowledges the SETTINGS of the client. The server reads them in place of the first frame.
func (e *exchange) handleSettings(f *http2.SettingsFrame) (frameUse, error) {
	switch {
	case f.IsAck() && e.acknowledged:
		return forServer, nil
	case f.IsAck():
		e.acknowledged = true
		return onlyForFront, nil
	case !validSettings(f):
		return invalidFrame, nil
	}
	e.settings.add(f)
	if err := e.framer.WriteSettingsAck(); err != nil {
		return 0, err
	}
	if e.settings.frames == 1 {
		e.firstEnd = len(e.bytes)
		return forServer, nil
	}
	return onlyForFront, nil
}

// serverBytes returns what the server of the connection must read.
func (e *exchange) serverBytes() []byte {
	if e.settings.frames < 2 {
		return e.bytes
	}
	var b bytes.Buffer
	b.WriteString(Preface)
	_ = http2.NewFramer(&b, nil).WriteSettings(e.settings.list...) // a bytes.Buffer has no errors
	b.Write(e.bytes[e.firstEnd:])
	return b.Bytes()
}
