package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
)

// lab is the address of the cloud, and how to reach it.
type lab struct {
	address string
	client  *http.Client
}

func dial(address, authority string) *lab {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(must(os.ReadFile(authority)))
	return &lab{address, &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}}}}
}

// ask sends a question as JSON and reads the answer, if one is wanted.
func (l *lab) ask(ctx context.Context, what string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.address+"/"+what,
		bytes.NewReader(body))
	if err != nil {
		return err
	}
	reply, err := l.client.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		return fmt.Errorf("the lab answers %s with %s: %s (%v)", what, reply.Status, text, err)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}
