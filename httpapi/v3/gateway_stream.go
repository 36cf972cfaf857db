package v3

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"pando/stats"
)

// gatewayStream is a stream of a method that the JSON gateway serves. The body of the request has one JSON message after the other, and the
// response has one line for each message: an object with the field "result". If the stream fails, the last line has the field "error". It
// implements grpc.ServerStream.
//
// A client may read responses before it has sent the end of its body. Writes have the deadlines of the connection, or of the
// http.ResponseWriter: a client that reads nothing is cut off.
type gatewayStream struct {
	ctx     context.Context
	w       http.ResponseWriter
	control *http.ResponseController // of w
	method  gatewayMethod
	limit   int64 // of the bytes of one message of the client
	began   bool  // the header of the response is written

	receiving sync.Mutex // held while a message is read
	body      io.LimitedReader
	decoder   *json.Decoder // reads body
	received  bool          // a message was read
	closed    bool          // no message may be read any more
}

// serveStream serves a stream. The caller must count the request for the limit of requests; the stream is not counted.
func (s *Server) serveStream(w http.ResponseWriter, r *http.Request, m gatewayMethod) {
	s.cfg.Requests.End()
	defer s.cfg.Requests.Resume()
	stream := &gatewayStream{ctx: incoming(r), w: w, control: http.NewResponseController(w), method: m, limit: s.bodyLimit()}
	stream.body.R = r.Body
	stream.decoder = json.NewDecoder(&stream.body)
	_ = stream.control.EnableFullDuplex() // over HTTP/2 a stream is full duplex anyway
	if m.call.method.kind == stats.BidirectionalStream {
		_ = stream.control.SetReadDeadline(time.Time{}) // the client sends messages at any time; an error means that there is no deadline
	}
	err := m.call.streaming(stream)
	stream.close()
	if err != nil {
		stream.writeError(err)
		return
	}
	stream.begin()
}

// close ends the reading of messages, and waits for a RecvMsg that is under way: the body must not be used after the request.
func (s *gatewayStream) close() {
	if !s.receiving.TryLock() {
		_ = s.control.SetReadDeadline(time.Unix(1, 0)) // after an error RecvMsg returns when the client sends something or goes away
		s.receiving.Lock()
	}
	s.closed = true
	s.receiving.Unlock()
}

// Context returns the context of the request.
func (s *gatewayStream) Context() context.Context { return s.ctx }

// RecvMsg reads the next message of the client. It returns io.EOF at the end of the body. The single message of a method whose requests
// are no stream may be missing, and is empty then.
func (s *gatewayStream) RecvMsg(m any) error {
	s.receiving.Lock()
	defer s.receiving.Unlock()
	if s.closed {
		return io.EOF
	}
	s.body.N = s.limit
	var text json.RawMessage
	err := s.decoder.Decode(&text)
	single := s.method.call.method.kind == stats.ServerStream
	switch {
	case errors.Is(err, io.EOF) && single && !s.received:
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil && s.body.N <= 0:
		return rpctypes.ErrGRPCRequestTooLarge
	case err != nil:
		return status.Error(codes.InvalidArgument, "a message of the body is not valid JSON: "+err.Error())
	}
	if single {
		_, _ = io.Copy(io.Discard, io.LimitReader(s.body.R, s.limit)) // at its end net/http begins to notice that the client goes away
		_ = s.control.SetReadDeadline(time.Time{})
	}
	s.received = true
	return unmarshalJSON(text, m.(proto.Message))
}

// SendMsg writes a message and flushes it.
func (s *gatewayStream) SendMsg(m any) error {
	text, err := s.method.json(m)
	if err != nil {
		return err
	}
	s.begin()
	line := make([]byte, 0, len(text)+len("{\"result\":}\n"))
	line = append(append(append(line, `{"result":`...), text...), '}', '\n')
	if _, err := s.w.Write(line); err != nil {
		return err
	}
	return s.control.Flush()
}

// begin sets the header of the response.
func (s *gatewayStream) begin() {
	if !s.began {
		s.began = true
		s.w.Header()["Content-Type"] = jsonType
		s.w.Header()["Grpc-Metadata-Content-Type"] = grpcType // as in the reference
	}
}

// writeError writes the error of the stream as its last line, with the fields of the reference of all versions.
func (s *gatewayStream) writeError(err error) {
	e := status.Convert(err)
	var line struct {
		Error struct {
			GRPCCode   codes.Code `json:"grpc_code"`
			HTTPCode   int        `json:"http_code"`
			Code       codes.Code `json:"code"`
			Message    string     `json:"message"`
			HTTPStatus string     `json:"http_status"`
		} `json:"error"`
	}
	line.Error.GRPCCode, line.Error.Code, line.Error.Message = e.Code(), e.Code(), e.Message()
	line.Error.HTTPCode = httpStatus(e.Code())
	line.Error.HTTPStatus = http.StatusText(line.Error.HTTPCode)
	text, _ := json.Marshal(line) // its fields can always be encoded
	if !s.began {
		s.w.Header()["Content-Type"] = jsonType
		s.w.WriteHeader(line.Error.HTTPCode)
	}
	_, _ = s.w.Write(append(text, '\n')) // an error means that the client is gone
}

// SetHeader, SendHeader and SetTrailer do nothing: the methods send no metadata.
func (s *gatewayStream) SetHeader(metadata.MD) error { return nil }

// SendHeader is described at SetHeader.
func (s *gatewayStream) SendHeader(metadata.MD) error { return nil }

// SetTrailer is described at SetHeader.
func (s *gatewayStream) SetTrailer(metadata.MD) {}
