// A caller with nats.go: go run ./examples/go/caller <extension id>
//
// Calls it with headers, as a request that it refuses, as one that it fails, with too little time, and one that does not exist.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

type refusal struct {
	Error struct {
		Code      string `json:"code"`
		Retryable bool   `json:"retryable"`
	} `json:"error"`
}

type result struct {
	Text   string `json:"text"`
	Tenant string `json:"tenant"`
	Trace  string `json:"trace"`
}

var connection *nats.Conn

// call returns one line about the one reply. It waits longer than the daemon, which answers when Extreg-Timeout-Ms is over.
func call(extension, body string, timeoutMs int, headers map[string]string) string {
	request := nats.NewMsg("extreg.v1.invoke." + extension)
	request.Data = []byte(body)
	request.Header.Set("Extreg-Timeout-Ms", strconv.Itoa(timeoutMs))
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	reply, err := connection.RequestMsg(request, time.Duration(timeoutMs)*time.Millisecond+2*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	header := reply.Header.Get
	if header("Extreg-Error") != "" { // the daemon's own word: an extension cannot send this header
		var got refusal
		if err := json.Unmarshal(reply.Data, &got); err != nil {
			log.Fatal(err)
		}
		again := "must not be repeated blindly"
		if got.Error.Retryable {
			again = "may be repeated"
		}
		return fmt.Sprintf("error %s %s: %s", got.Error.Code, header("Nats-Service-Error-Code"), again)
	}
	if header("Nats-Service-Error-Code") != "" { // the extension's word
		return fmt.Sprintf("refused %s: %s", header("Nats-Service-Error-Code"), header("Nats-Service-Error"))
	}
	var got result
	if err := json.Unmarshal(reply.Data, &got); err != nil {
		log.Fatal(err)
	}
	return fmt.Sprintf("ok %s in %s attempt: %s for %s, trace %s",
		header("Extreg-Version"), header("Extreg-Attempts"), got.Text, got.Tenant, got.Trace)
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("expected an extension id")
	}
	var err error
	connection, err = nats.Connect(os.Getenv("NATS_URL"), nats.Token(os.Getenv("NATS_TOKEN")))
	if err != nil {
		log.Fatal(err)
	}
	id := os.Args[1]
	trace := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	fmt.Println(call(id, `{"text":"hello"}`, 5000, map[string]string{"Extreg-Tenant-Id": "acme", "traceparent": trace}))
	fmt.Println(call(id, `{"no":"text"}`, 5000, nil))
	fmt.Println(call(id, `{"text":"fail"}`, 5000, nil))
	fmt.Println(call(id, `{"text":"slow","delay_ms":1500}`, 300, nil))
	fmt.Println(call("no_such_extension", `{"text":"hello"}`, 5000, nil))
	connection.Close()
}
