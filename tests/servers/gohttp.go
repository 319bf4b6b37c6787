// SPDX-License-Identifier: Apache-2.0

// Go's net/http: gohttp HOST PORT LOG [TLS_PORT CERT KEY]. An empty HOST listens for both families.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

var status = map[string]int{
	"/empty": 204, "/made": 201, "/moved": 302, "/bad": 400, "/denied": 401,
	"/missing": 404, "/gateway": 502, "/late": 504,
}

func main() {
	file, err := os.Create(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	var mutex sync.Mutex
	handler := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		code := 200
		if known, ok := status[r.URL.Path]; ok {
			code = known
		}
		body := "hello\n"
		if ms := strings.TrimPrefix(r.URL.Path, "/sleep/"); ms != r.URL.Path {
			n, _ := strconv.Atoi(ms)
			start := time.Now()
			time.Sleep(time.Duration(n) * time.Millisecond)
			body = strconv.FormatInt(time.Since(start).Nanoseconds(), 10)
		}
		if size := strings.TrimPrefix(r.URL.Path, "/bytes/"); size != r.URL.Path {
			n, _ := strconv.Atoi(size)
			body = strings.Repeat("x", n)
			if r.URL.RawQuery == "length" {
				w.Header().Set("Content-Length", size)
			}
		}
		w.WriteHeader(code)
		if code != 204 {
			_, _ = io.WriteString(w, body)
		}
		mutex.Lock()
		fmt.Fprintf(file, "%s %s %s %d\n", r.Method, r.RequestURI, r.Proto, code)
		mutex.Unlock()
	}
	if len(os.Args) > 4 {
		go func() {
			address := net.JoinHostPort(os.Args[1], os.Args[4])
			log.Fatal(http.ListenAndServeTLS(address, os.Args[5], os.Args[6], http.HandlerFunc(handler)))
		}()
	}
	log.Fatal(http.ListenAndServe(net.JoinHostPort(os.Args[1], os.Args[2]), http.HandlerFunc(handler)))
}
