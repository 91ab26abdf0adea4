package notify

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gomail "github.com/wneessen/go-mail"

	"heddle/domain"
	"heddle/domain/definition"
)

// mailServer takes mail.
type mailServer struct {
	url     string
	secure  *tls.Config // offers STARTTLS, unless nil
	login   string      // that it asks for, as AUTH PLAIN sends it; none when empty
	answers []string    // to the first of RCPT TO, and then 250 ok; "" hangs up
	letters chan letter

	mu     sync.Mutex
	logins int
}

// letter is one as it came.
type letter struct {
	to, text         string
	secure, loggedIn bool
}

func newMailServer(t *testing.T, s *mailServer) *mailServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url, s.letters = "smtp://"+l.Addr().String(), make(chan letter, 100)
	var serving sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { _ = l.Close(); cancel(); serving.Wait() })
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = c.Close() }()
				defer context.AfterFunc(ctx, func() { _ = c.Close() })()
				fmt.Fprint(c, "220 test\r\n")
				s.speak(c, letter{})
			})
		}
	})
	return s
}

func (s *mailServer) speak(c net.Conn, l letter) {
	for in := bufio.NewReader(c); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		verb, rest, _ := strings.Cut(line, " ")
		answer := "250 ok"
		switch verb {
		case "EHLO":
			answer = s.greeting(l)
		case "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		case "STARTTLS":
			fmt.Fprint(c, "220 go on\r\n")
			l.secure = true
			s.speak(tls.Server(c, s.secure), l)
			return
		case "AUTH":
			if answer, l.loggedIn = "535 5.7.8 wrong", s.admit(rest); l.loggedIn {
				answer = "235 welcome"
			}
		case "RCPT":
			if l.to, answer = rest, s.answer(); answer == "" {
				return
			}
		case "DATA":
			fmt.Fprint(c, "354 go on\r\n")
			for l.text = ""; line != "."; l.text += line + "\n" {
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
				line = strings.TrimSpace(line)
			}
			s.letters <- l
		}
		fmt.Fprint(c, answer+"\r\n")
	}
}

func (s *mailServer) greeting(l letter) string {
	answer := "250-test\r\n"
	if s.secure != nil && !l.secure {
		answer += "250-STARTTLS\r\n"
	}
	if s.login != "" && (l.secure || s.secure == nil) {
		answer += "250-AUTH PLAIN\r\n"
	}
	return answer + "250 ENHANCEDSTATUSCODES"
}

// admit refuses the first login, right or wrong.
func (s *mailServer) admit(login string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins++
	return s.logins > 1 && login == "PLAIN "+base64.StdEncoding.EncodeToString([]byte(s.login))
}

func (s *mailServer) answer() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.answers) == 0 {
		return "250 ok"
	}
	answer := s.answers[0]
	s.answers = s.answers[1:]
	return answer
}

// next waits for a letter and returns its words and whom it is to.
func (s *mailServer) next(t *testing.T) letter {
	t.Helper()
	select {
	case l := <-s.letters:
		return l
	case <-time.After(10 * time.Second):
		t.Fatal("no mail came")
	}
	return letter{}
}

func (l letter) is(verb, to string) bool {
	return strings.Contains(l.text, verb) && strings.Contains(l.text, "To: ") && strings.Contains(l.text, "<"+to+">") &&
		l.to == "TO:<"+to+">"
}

func (p *parlour) mail(address string, options ...gomail.Option) Channel {
	way, err := NewMail(address, "heddle@example.com")
	if err != nil {
		p.t.Fatal(err)
	}
	m := way.(*mailbox)
	m.options = append(m.options, options...)
	return way
}

// mailed are the letters that come of reviewed.
var mailed = [][2]string{{"asks for a review of", "reviewer@o1.example"}, {"comments on", "author@o1.example"},
	{"rejects", "author@o1.example"},
	{"has dismissed a verdict", "reviewer@o1.example"}, {"has published past", "reviewer@o1.example"}}

func TestNoticeMail(t *testing.T) {
	p := newParlour(t)
	s := newMailServer(t, &mailServer{})
	p.send(p.mail(s.url))
	p.marked("mail")
	p.reviewed("o1")
	for _, want := range mailed {
		if l := s.next(t); !l.is(want[0], want[1]) || l.secure || l.loggedIn {
			t.Errorf("instead of %s came %+v", want, l)
		}
	}
}

// Where a server offers STARTTLS, letters and the password go over it; a login that is refused is tried again.
func TestNoticeMailLogin(t *testing.T) {
	plain := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer plain.Close()
	roots := x509.NewCertPool()
	roots.AddCert(plain.Certificate())
	for _, secure := range []*tls.Config{nil, {Certificates: plain.TLS.Certificates}} {
		p := newParlour(t)
		s := newMailServer(t, &mailServer{secure: secure, login: "\x00heddle\x00a password"})
		stop := p.send(p.mail(strings.Replace(s.url, "//", "//heddle:a%20password@", 1),
			gomail.WithTLSConfig(&tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})))
		p.marked("mail")
		p.reviewed("o1")
		for _, want := range mailed {
			if l := s.next(t); !l.is(want[0], want[1]) || l.secure != (secure != nil) || !l.loggedIn {
				t.Errorf("instead of %s came %+v", want, l)
			}
		}
		stop()
		if p.reported("mail failed") != 1 {
			t.Errorf("reported %s", p.results)
		}
	}
}

// What a server refuses for good is told once, without the address, and given up; what it refuses for now,
// or leaves without an answer, is tried again, and nobody gets a letter twice.
func TestNoticeMailRefused(t *testing.T) {
	const gone = "550 5.1.1 <Reviewer@o1.example>: no such mailbox"
	for name, c := range map[string]struct {
		answers []string
		missing int // letters that never come
		results []string
	}{
		"for good":               {[]string{gone}, 1, []string{"refused"}},
		"one of two for now":     {[]string{"250 ok", "451 4.7.1 come back later"}, 0, []string{"failed", "sent"}},
		"a connection that ends": {[]string{"250 ok", ""}, 0, []string{"failed", "sent"}},
		"one for good, one for now": {[]string{gone, "451 4.7.1 later", "451 4.7.1 later"}, 1,
			[]string{"refused", "failed", "failed", "sent"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParlour(t)
			var wrote bytes.Buffer
			p.logger = slog.New(slog.NewTextHandler(&lockedWriter{w: &wrote, mu: &p.mu}, nil))
			s := newMailServer(t, &mailServer{answers: c.answers})
			stop := p.send(p.mail(s.url))
			p.marked("mail")
			write(p, "o1", "system", domain.Users, "second", domain.UserCreated{Email: "reviewer@o1.example",
				Name: "second", Role: domain.Admin})
			write(p, "o1", "authoro1", domain.Drafts, "d",
				domain.DraftOpened{Integration: "i", Definition: &definition.Part{}},
				domain.ReviewRequested{Review: "r", Reviewers: []string{"reviewero1", "second"}},
				domain.ReviewBypassed{Reason: "An outage."})
			var got []string
			for range 4 - c.missing {
				l := s.next(t)
				_, id, _ := strings.Cut(l.text, "Message-ID: ")
				id, _, _ = strings.Cut(id, "\n")
				got = append(got, id)
			}
			p.settled("o1", "mail")
			stop()
			slices.Sort(got)
			if len(slices.Compact(got)) != 4-c.missing || len(s.letters) != 0 {
				t.Errorf("letters: %s and %d more", got, len(s.letters))
			}
			for i, r := range append(c.results, "sent") {
				if i >= len(p.results) || p.results[i] != "mail "+r {
					t.Errorf("reported %s, want %s and sent", p.results, c.results)
					break
				}
			}
			text := wrote.String()
			if n := strings.Count(text, "refused for good"); n != c.missing || n > 0 && !strings.Contains(text,
				"5.1.1 <…>: no such mailbox") || strings.Contains(strings.ToLower(text), "reviewer@") {
				t.Errorf("wrote %s", text)
			}
		})
	}
}

// lockedWriter is written to by a sender and read by its test.
type lockedWriter struct {
	w  io.Writer
	mu *sync.Mutex
}

// Write implements [io.Writer].
func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
