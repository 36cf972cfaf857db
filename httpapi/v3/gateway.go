package v3

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"pando/httpapi/rpc"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// The JSON gateway serves the methods for clients that speak HTTP and JSON, in this process: it makes the message of the request and calls
// the method as grpc-go does. The paths are in the descriptions of the methods that the generated packages contain. Names of fields are
// those of the messages, 64-bit numbers are texts, and bytes are in base64, as in the reference.

// gatewayMethod is a method of the JSON gateway.
type gatewayMethod struct {
	call  *call
	reply protoreflect.MessageType
}

// gateway maps the paths below a prefix to methods.
type gateway map[string]gatewayMethod

// newGateway returns the gateway to the methods of a server. Methods without a path are left out.
func newGateway(s *Server) gateway {
	g := gateway{}
	for name, c := range s.calls {
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(name, "/", ".")))
		if err != nil {
			continue // it is not in a generated package
		}
		desc, ok := found.(protoreflect.MethodDescriptor)
		if !ok {
			continue
		}
		reply, err := protoregistry.GlobalTypes.FindMessageByName(desc.Output().FullName())
		if err != nil {
			continue
		}
		rule, _ := proto.GetExtension(desc.Options(), annotations.E_Http).(*annotations.HttpRule)
		for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
			if path, ok := strings.CutPrefix(r.GetPost(), "/v3"); ok {
				g[path] = gatewayMethod{c, reply}
			}
		}
	}
	return g
}

// ServeHTTP serves a request of the JSON gateway. The caller must count it for the limit of requests.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, path, _ := strings.Cut(r.URL.Path[1:], "/")
	m, ok := s.gateway["/"+path]
	switch {
	case !ok:
		writeError(w, status.Error(codes.NotFound, "Not Found"))
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		writeError(w, status.Error(codes.Unimplemented, "Method Not Allowed"))
	case m.call.method.stream != nil:
		s.serveStream(w, r, m)
	default:
		s.serveUnary(w, r, m)
	}
}

// serveUnary serves a method with one request and one response.
func (s *Server) serveUnary(w http.ResponseWriter, r *http.Request, m gatewayMethod) {
	start := time.Now()
	m.call.counts.Started()
	ctx := incoming(r)
	reply, err := m.call.serve(ctx, func(request any) error { return s.readJSON(w, r, request.(proto.Message)) })
	var body []byte
	if err == nil {
		body, err = m.json(reply)
	}
	if err != nil {
		err = m.call.failed(ctx, err)
		writeError(w, err)
	} else {
		w.Header()["Content-Type"] = jsonType
		w.Header()["Grpc-Metadata-Content-Type"] = grpcType // as in the reference
		_, _ = w.Write(body)                                // an error means that the client is gone
	}
	m.call.counts.Handled(status.Code(err), time.Since(start))
}

// All responses share these values, so they must not be changed.
var (
	jsonType = []string{"application/json"}
	grpcType = []string{"application/grpc"}
)

// incoming returns the context of a request as that of a request of gRPC.
func incoming(r *http.Request) context.Context {
	md := metadata.MD{}
	for _, name := range [...]string{"Authorization", "Via", "Forwarded", "X-Forwarded-For"} {
		if values := r.Header[name]; values != nil {
			md[strings.ToLower(name)] = values
		}
	}
	for name, values := range r.Header {
		if name, ok := strings.CutPrefix(name, "Grpc-Metadata-"); ok {
			md[strings.ToLower(name)] = values
		}
	}
	return withOrigin(r.Context(), r.RemoteAddr, r.TLS, md)
}

// readJSON reads the body of a request. An empty one is a message without fields. Unknown fields are left out, as in the reference.
func (s *Server) readJSON(w http.ResponseWriter, r *http.Request, into proto.Message) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.bodyLimit()))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok && tooLarge != nil {
		return rpctypes.ErrGRPCRequestTooLarge
	}
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	// The client has sent everything, and a method may wait longer than the client may take for that.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // an error means that there is no deadline
	return unmarshalJSON(body, into)
}

// bodyLimit returns the length of the longest message in JSON: the bytes of keys and values take a third more in it.
func (s *Server) bodyLimit() int64 { return s.cfg.Limits.RequestBytes/3*4 + requestOverhead }

func unmarshalJSON(body []byte, into proto.Message) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, into); err != nil {
		return status.Error(codes.InvalidArgument, strings.ReplaceAll(err.Error(), "\u00a0", " "))
	}
	return nil
}

// json returns a response as JSON, without blanks.
func (m gatewayMethod) json(reply any) ([]byte, error) {
	message, ok := reply.(proto.Message)
	if !ok {
		encoded, err := rpc.Encode(reply)
		if err != nil {
			return nil, err
		}
		message = m.reply.New().Interface()
		if err := proto.Unmarshal(encoded, message); err != nil {
			return nil, err
		}
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	compact.Grow(len(text))
	err = json.Compact(&compact, text) // protojson adds blanks at random places
	return compact.Bytes(), err
}

// writeError responds with an error. Its body has the fields of the reference of all versions.
func writeError(w http.ResponseWriter, err error) {
	s := status.Convert(err)
	body, _ := json.Marshal(struct { // its fields can always be encoded
		Error   string     `json:"error"`
		Message string     `json:"message"`
		Code    codes.Code `json:"code"`
	}{s.Message(), s.Message(), s.Code()})
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(httpStatus(s.Code()))
	_, _ = w.Write(body) // an error means that the client is gone
}

// httpStatuses are the statuses of HTTP for the codes of gRPC, as in the reference. Other codes are faults of the server.
var httpStatuses = map[codes.Code]int{
	codes.OK:                 http.StatusOK,
	codes.Canceled:           499,
	codes.InvalidArgument:    http.StatusBadRequest,
	codes.DeadlineExceeded:   http.StatusGatewayTimeout,
	codes.NotFound:           http.StatusNotFound,
	codes.AlreadyExists:      http.StatusConflict,
	codes.PermissionDenied:   http.StatusForbidden,
	codes.Unauthenticated:    http.StatusUnauthorized,
	codes.ResourceExhausted:  http.StatusTooManyRequests,
	codes.FailedPrecondition: http.StatusBadRequest,
	codes.Aborted:            http.StatusConflict,
	codes.OutOfRange:         http.StatusBadRequest,
	codes.Unimplemented:      http.StatusNotImplemented,
	codes.Unavailable:        http.StatusServiceUnavailable,
}

func httpStatus(code codes.Code) int {
	if s, ok := httpStatuses[code]; ok {
		return s
	}
	return http.StatusInternalServerError
}
