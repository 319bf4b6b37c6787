// SPDX-License-Identifier: Apache-2.0

// The echo service of README.md with grpc-go: no protoc, messages are raw bytes.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	service  = "e2e.Echo"
	sizeMax  = 8 << 20
	sleepers = 100
)

type raw struct{ bytes []byte }

// Takes the place of the codec for protobuf, so that the content type stays the usual one.
type codec struct{}

func (codec) Name() string                          { return "proto" }
func (codec) Marshal(v interface{}) ([]byte, error) { return v.(*raw).bytes, nil }
func (codec) Unmarshal(data []byte, v interface{}) error {
	v.(*raw).bytes = append([]byte(nil), data...)
	return nil
}

func init() { encoding.RegisterCodec(codec{}) }

// --- server

type server struct {
	mutex sync.Mutex
	file  *os.File
}

func wanted(ctx context.Context, name string) int {
	md, _ := metadata.FromIncomingContext(ctx)
	if values := md.Get(name); len(values) > 0 {
		number, _ := strconv.Atoi(values[0])
		return number
	}
	return 0
}

// Sleeps as asked; returns the trailers and the status that was asked for.
func (s *server) finish(ctx context.Context, method string) (metadata.MD, error) {
	trailer := metadata.MD{}
	code := codes.Code(wanted(ctx, "want-code"))
	if ms := wanted(ctx, "want-sleep-ms"); ms > 0 {
		start := time.Now()
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
		case <-ctx.Done():
			code = status.FromContextError(ctx.Err()).Code()
		}
		trailer.Set("slept-ns", strconv.FormatInt(time.Since(start).Nanoseconds(), 10))
	}
	if size := wanted(ctx, "want-metadata"); size > 0 {
		trailer.Set("x-blob", blob(size))
	}
	s.mutex.Lock()
	fmt.Fprintf(s.file, "%s %d\n", method, code)
	s.mutex.Unlock()
	if code != codes.OK {
		return trailer, status.Error(code, "as asked")
	}
	return trailer, nil
}

func blob(size int) string { return strings.Repeat("b~", size/2) }

func (s *server) unary(name string) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(_ interface{}, ctx context.Context,
		decode func(interface{}) error, _ grpc.UnaryServerInterceptor) (interface{}, error) {
		message := &raw{}
		if err := decode(message); err != nil {
			return nil, err
		}
		trailer, err := s.finish(ctx, name)
		_ = grpc.SetTrailer(ctx, trailer)
		return message, err
	}}
}

func (s *server) stream(name string, body func(grpc.ServerStream) error) grpc.StreamDesc {
	return grpc.StreamDesc{StreamName: name, ServerStreams: name != "Collect",
		ClientStreams: name != "Expand", Handler: func(_ interface{}, stream grpc.ServerStream) error {
			if err := body(stream); err != nil {
				return err
			}
			trailer, err := s.finish(stream.Context(), name)
			stream.SetTrailer(trailer)
			if err == nil && name == "Collect" {
				return stream.SendMsg(&raw{})
			}
			return err
		}}
}

func each(stream grpc.ServerStream, do func(*raw) error) error {
	for {
		message := &raw{}
		if err := stream.RecvMsg(message); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		} else if err := do(message); err != nil {
			return err
		}
	}
}

func serve(address string, path string) {
	file, err := os.Create(path)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{file: file}
	desc := grpc.ServiceDesc{ServiceName: service, HandlerType: (*interface{})(nil)}
	desc.Methods = append(desc.Methods, s.unary("Unary"))
	for i := 0; i < sleepers; i++ {
		desc.Methods = append(desc.Methods, s.unary(fmt.Sprintf("S%03d", i)))
	}
	desc.Streams = []grpc.StreamDesc{
		s.stream("Collect", func(stream grpc.ServerStream) error {
			return each(stream, func(*raw) error { return nil })
		}),
		s.stream("Expand", func(stream grpc.ServerStream) error {
			message := &raw{make([]byte, wanted(stream.Context(), "want-bytes"))}
			return each(stream, func(*raw) error {
				for i := wanted(stream.Context(), "want-messages"); i > 0; i-- {
					if err := stream.SendMsg(message); err != nil {
						return err
					}
				}
				return nil
			})
		}),
		s.stream("Chat", func(stream grpc.ServerStream) error {
			return each(stream, func(message *raw) error { return stream.SendMsg(message) })
		}),
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(sizeMax), grpc.MaxConcurrentStreams(1000)}
	if folder := os.Getenv("ECHO_TLS"); folder != "" {
		own, err := credentials.NewServerTLSFromFile(folder+"/cert.pem", folder+"/key.pem")
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, grpc.Creds(own))
	}
	gs := grpc.NewServer(options...)
	gs.RegisterService(&desc, s)
	log.Fatal(gs.Serve(listener))
}

// --- client

type call struct {
	number                                                int
	method                                                string
	code, sleep, messages, bytes, deadline, cancel, extra int
}

type result struct {
	sent, received int
	trailer        metadata.MD
	err            error
}

func (c *call) run(conn *grpc.ClientConn) result {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if c.deadline > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.deadline)*time.Millisecond)
		defer cancel()
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "want-code", strconv.Itoa(c.code),
		"want-sleep-ms", strconv.Itoa(c.sleep), "want-messages", strconv.Itoa(c.messages),
		"want-bytes", strconv.Itoa(c.bytes))
	if c.extra > 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, "want-metadata", strconv.Itoa(c.extra),
			"x-blob", blob(c.extra))
	}
	if c.cancel > 0 {
		time.AfterFunc(time.Duration(c.cancel)*time.Millisecond, cancel)
	}
	r := result{}
	path := "/" + service + "/" + c.method
	message := &raw{make([]byte, c.bytes)}
	if c.method[0] == 'U' || c.method[0] == 'S' {
		reply := &raw{}
		r.err = conn.Invoke(ctx, path, message, reply, grpc.Trailer(&r.trailer))
		r.sent = 1
		if r.err == nil {
			r.received = 1
		}
		return r
	}
	desc := &grpc.StreamDesc{ServerStreams: c.method != "Collect", ClientStreams: c.method != "Expand"}
	stream, err := conn.NewStream(ctx, desc, path)
	if err != nil {
		r.err = err
		return r
	}
	count := c.messages
	if c.method == "Expand" {
		count = 1
	}
	for ; r.sent < count && err == nil; r.sent++ {
		err = stream.SendMsg(message)
		if err == nil && c.method == "Chat" {
			if err = stream.RecvMsg(&raw{}); err == nil {
				r.received++
			}
		}
	}
	_ = stream.CloseSend()
	for {
		if r.err = stream.RecvMsg(&raw{}); r.err != nil {
			break
		}
		r.received++
		if c.method == "Collect" {
			break
		}
	}
	if r.err == io.EOF {
		r.err = nil
	}
	r.trailer = stream.Trailer()
	return r
}

// grpc-go 1.33 widens its windows as it measures; a stream that begins meanwhile keeps the old
// width, and its library ends it, INTERNAL, once the server uses the new one. The least width that
// may be asked for keeps it from measuring.
func window() []grpc.DialOption {
	if strings.HasPrefix(grpc.Version, "1.33.") {
		return []grpc.DialOption{grpc.WithInitialWindowSize(65535)}
	}
	return nil
}

func security() grpc.DialOption {
	folder := os.Getenv("ECHO_TLS")
	if folder == "" {
		return grpc.WithInsecure()
	}
	trusted, err := credentials.NewClientTLSFromFile(folder+"/cert.pem", "")
	if err != nil {
		log.Fatal(err)
	}
	return grpc.WithTransportCredentials(trusted)
}

func ask(address string, connections int, workers int) {
	options := append(window(), security(), grpc.WithBlock(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(sizeMax)))
	conns := make([]*grpc.ClientConn, connections)
	for i := range conns {
		conn, err := grpc.Dial(address, options...)
		if err != nil {
			log.Fatal(err)
		}
		conns[i] = conn
	}
	fmt.Println("ready")
	calls := make(chan call)
	var mutex sync.Mutex
	var done sync.WaitGroup
	out := bufio.NewWriter(os.Stdout)
	for i := 0; i < workers; i++ {
		done.Add(1)
		go func(conn *grpc.ClientConn) {
			defer done.Done()
			for c := range calls {
				start := time.Now()
				r := c.run(conn)
				end := time.Now()
				slept := "0"
				if values := r.trailer.Get("slept-ns"); len(values) > 0 {
					slept = values[0]
				}
				mutex.Lock()
				fmt.Fprintln(out, c.number, c.method, int(status.Code(r.err)), r.sent, r.received,
					start.UnixNano(), end.Sub(start).Nanoseconds(), slept)
				_ = out.Flush()
				mutex.Unlock()
			}
		}(conns[i%connections])
	}
	in := bufio.NewScanner(os.Stdin)
	for number := 0; in.Scan(); number++ {
		c := call{number: number}
		if _, err := fmt.Sscan(in.Text(), &c.method, &c.code, &c.sleep, &c.messages, &c.bytes,
			&c.deadline, &c.cancel, &c.extra); err != nil {
			log.Fatalf("%q: %v", in.Text(), err)
		}
		calls <- c
	}
	close(calls)
	done.Wait()
	for _, conn := range conns {
		_ = conn.Close()
	}
}

func main() {
	address := net.JoinHostPort(os.Args[2], os.Args[3])
	if os.Args[1] == "server" {
		serve(address, os.Args[4])
	}
	connections, _ := strconv.Atoi(os.Args[4])
	workers, _ := strconv.Atoi(os.Args[5])
	ask(address, connections, workers)
}
