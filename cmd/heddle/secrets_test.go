package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestWithoutSecrets(t *testing.T) {
	for address, want := range map[string]string{
		"embedded":                          "embedded",
		"":                                  "",
		"redis://host:6379/1":               "redis://host:6379/1",
		"redis://:hunter2@host:6379":        "redis://:xxxxx@host:6379",
		"redis://user:hunter2@host?db=1":    "redis://user:xxxxx@host?db=1",
		"rediss://host?password=hunter2":    "rediss://host?password=xxxxx",
		"esdb://u:hunter2@a:1,b:2?tls=true": "esdb://u:xxxxx@a:1,b:2?tls=true",
		"esdb://a?tls=true&userKeyFile=hunter2&TLSVerifyCert=false":                "esdb://a?tls=true&userKeyFile=xxxxx&TLSVerifyCert=false",
		"s3://bucket?region=eu-1&endpoint=https://s3.example&secret_key=hunter2&x": "s3://bucket?region=eu-1&endpoint=https://s3.example&secret_key=xxxxx&x",
		"https://hunter2@collector:4318":                                           "https://xxxxx@collector:4318",
		"https://collector?api-key=a&k=b%26c":                                      "https://collector?api-key=xxxxx&k=xxxxx",
		"smtps://me%40x:hun%20ter2@mail.x:465":                                     "smtps://me%40x:xxxxx@mail.x:465",
		"smtp://u:p%zz@host":                                                       masked,
	} {
		if got := withoutSecrets(address); got != want {
			t.Errorf("%s is shown as %s, want %s", address, got, want)
		}
	}
}

// Nothing that is written, whoever puts it together, has a setting's secret in it.
func TestWritingIsDiscreet(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=hunter-otlp,other=1")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter-aws")
	t.Setenv("AWS_SECRET_KEY", "hunter-older")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hunter-container")
	s := settings{Redis: "redis://:hunter%2Fredis@host:6379", Log: "esdb://u:hunter-esdb@a:1",
		Blobs: "s3://b?region=eu&key=hunter%22s3",
		SMTP:  "smtp://u:hunter-smtp@host", OTLPEndpoint: "http://hunter-user@collector?k=hunter-k",
		MasterKey:     "hunter-master",
		NoticeWebhook: "https://chat.example/hooks/hunter-hook?x=hunter-x", AdminToken: "hunter-admin",
		LogPassword: "hunter-log"}
	var b bytes.Buffer
	w := s.discreet(&b)
	logger := newLogger(w, "debug")
	for _, text := range []string{s.Redis, s.Log, s.Blobs, s.SMTP, s.OTLPEndpoint, s.NoticeWebhook, s.MasterKey,
		s.AdminToken, s.LogPassword,
		"hunter/redis", "hunter%2Fredis", `hunter"s3`, "hunter%22s3", "hunter-esdb", "hunter-smtp", "hunter-user",
		"hunter-k",
		"/hooks/hunter-hook?x=hunter-x", "hunter-otlp", "hunter-aws", "hunter-older", "hunter-container"} {
		logger.Error("it failed", "error", fmt.Errorf("reaching %q: %w", text, errors.New("dial "+text)), "why", text,
			slog.Group("g", "x", []string{text}))
		fmt.Fprintln(w, "heddle:", text)
	}
	if strings.Contains(b.String(), "hunter") {
		t.Errorf("wrote\n%s", &b)
	}
	if n := strings.Count(b.String(), `"msg":"it failed"`); n != 22 {
		t.Errorf("wrote %d lines:\n%s", n, &b)
	}
	for _, kept := range []string{"chat.example", "region=eu", "redis://:xxxxx@host:6379", "collector"} {
		if !strings.Contains(b.String(), kept) {
			t.Errorf("%s is masked too", kept)
		}
	}
	b.Reset()
	if _, err := fmt.Fprintln(new(settings).discreet(&b), "plain"); err != nil || b.String() != "plain\n" {
		t.Errorf("without secrets %q is written", &b)
	}
	if printed := s.print(); strings.Contains(printed, "hunter") {
		t.Errorf("printed\n%s", printed)
	}
}
