// An extension with nats.go: go run ./examples/go/extension [subject] [queue group]
//
// Answers {"text": "Hi", "delay_ms": 0} with {"text": "HI", …}; a request without a text with a service error 400, the text "fail" with 500.
// SIGTERM and SIGINT: no new requests; those in hand are answered; then it ends.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
)

type request struct {
	Text    *string `json:"text"`
	DelayMs int     `json:"delay_ms"`
}

type response struct {
	Text    string `json:"text"`
	Version string `json:"version"`
	Tenant  string `json:"tenant"`
	Attempt int    `json:"attempt"`
	HasTime bool   `json:"has_time"`
	Trace   string `json:"trace"`
}

// respond sends one reply with headers.
func respond(msg *nats.Msg, body interface{}, headers map[string]string) {
	reply := nats.NewMsg(msg.Reply)
	reply.Data, _ = json.Marshal(body)
	for name, value := range headers {
		reply.Header.Set(name, value)
	}
	if err := msg.RespondMsg(reply); err != nil {
		log.Printf("extension: %v", err)
	}
}

// reject sends a service error. Below 500 it is the request's fault; from 500 on it is ours, and counts against our health.
func reject(msg *nats.Msg, code int, description string) {
	respond(msg, map[string]string{"error": description}, map[string]string{ // the body is for callers that do not read headers
		"Nats-Service-Error-Code": strconv.Itoa(code),
		"Nats-Service-Error":      description,
	})
}

// answer sends exactly one reply, whatever happens.
func answer(msg *nats.Msg) {
	defer func() {
		if problem := recover(); problem != nil { // a bug here is no reason to let the caller wait
			log.Printf("extension: %v", problem)
			reject(msg, 500, "internal error")
		}
	}()
	if msg.Header.Get("Extreg-Probe") == "1" { // an active check of the daemon
		_ = msg.Respond(nil)
		return
	}
	var wanted request
	if err := json.Unmarshal(msg.Data, &wanted); err != nil || wanted.Text == nil {
		reject(msg, 400, "text is missing")
		return
	}
	if *wanted.Text == "fail" {
		reject(msg, 500, "asked to fail")
		return
	}
	time.Sleep(time.Duration(wanted.DelayMs) * time.Millisecond)
	attempt, _ := strconv.Atoi(msg.Header.Get("Extreg-Attempt"))
	timeoutMs, _ := strconv.Atoi(msg.Header.Get("Extreg-Timeout-Ms"))
	trace := msg.Header.Get("traceparent")
	if len(trace) > 35 {
		trace = trace[:35]
	}
	respond(msg, response{
		Text:    strings.ToUpper(*wanted.Text),
		Version: msg.Header.Get("Extreg-Version"),
		Tenant:  msg.Header.Get("Extreg-Tenant-Id"),
		Attempt: attempt,
		HasTime: timeoutMs > 0,
		Trace:   trace,
	}, map[string]string{"Example-Language": "go"})
}

func main() {
	subject, queue := "beamline.ext.pre.upper.v1", "upper"
	if len(os.Args) > 1 {
		subject = os.Args[1]
	}
	if len(os.Args) > 2 {
		queue = os.Args[2] // the processes of one extension share its requests
	}
	closed := make(chan struct{})
	connection, err := nats.Connect(os.Getenv("NATS_URL"), nats.Token(os.Getenv("NATS_TOKEN")), nats.MaxReconnects(-1),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if err != nil {
		log.Fatal(err)
	}
	var inHand sync.WaitGroup
	subscription, err := connection.QueueSubscribe(subject, queue, func(msg *nats.Msg) {
		inHand.Add(1)
		go func() {
			defer inHand.Done()
			answer(msg)
		}()
	})
	if err == nil {
		err = connection.Flush()
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("answers on %s (queue group %s)\n", subject, queue)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	if err := subscription.Drain(); err != nil {
		log.Fatal(err)
	}
	for subscription.IsValid() { // until all that the server sent before is in hand
		time.Sleep(5 * time.Millisecond)
	}
	inHand.Wait()
	if err := connection.Drain(); err != nil { // and all answers are with the server
		log.Fatal(err)
	}
	<-closed
	fmt.Println("drained")
}
