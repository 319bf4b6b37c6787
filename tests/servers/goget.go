// SPDX-License-Identifier: Apache-2.0

// Go's net/http as a client: goget URL GATE COUNT asks for paths in turn once the file GATE is there,
// COUNT of them in each of four ways (HTTP/1.1 and HTTP/2, connections that stay and that do not), and
// writes a line "STATUS PATH PROTOCOL" for each. It does not look at certificates.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"
)

var paths = []string{"/hello", "/users/1842", "/missing"}

func ask(url string, count int, isHTTP2, isKept bool) {
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		ForceAttemptHTTP2: isHTTP2,
		DisableKeepAlives: !isKept,
	}
	if !isHTTP2 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	client := &http.Client{Transport: transport}
	for i := 0; i < count; i++ {
		path := paths[i%len(paths)]
		answer, err := client.Get(url + path)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			log.Fatal(err)
		}
		answer.Body.Close()
		fmt.Println(answer.StatusCode, path, answer.Proto)
	}
	client.CloseIdleConnections()
}

func main() {
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	for {
		if _, err := os.Stat(os.Args[2]); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, isHTTP2 := range []bool{false, true} {
		for _, isKept := range []bool{true, false} {
			ask(os.Args[1], count, isHTTP2, isKept)
		}
	}
}
