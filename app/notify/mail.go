package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"heddle/domain/refusal"
)

// mailbox mails notices, to each who is told by itself.
type mailbox struct {
	host    string
	from    string
	options []gomail.Option
	done    map[string]map[string]bool // who got their letter of a notice that others have not got yet
}

// NewMail sends notices by a mail server: smtp:// with STARTTLS where it is offered, smtps:// with
// TLS from the start. A password is not sent without TLS, other than to this machine.
func NewMail(server, from string) (Channel, error) {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, refusal.New(refusal.Invalid, "HEDDLE_SMTP must be an address such as smtp://user:password@host:587")
	}
	if _, err := mail.ParseAddress(from); err != nil {
		return nil, refusal.New(refusal.Invalid, "HEDDLE_MAIL_FROM must be a mail address")
	}
	m := &mailbox{host: u.Hostname(), from: from, done: map[string]map[string]bool{},
		options: []gomail.Option{gomail.WithTLSPolicy(gomail.TLSOpportunistic), gomail.WithTimeout(noticeTime)}}
	if u.Scheme == "smtps" {
		m.options = append(m.options, gomail.WithSSL(), gomail.WithPort(465))
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		m.options = append(m.options, gomail.WithPort(port))
	}
	if password, set := u.User.Password(); set {
		m.options = append(m.options, gomail.WithSMTPAuth(gomail.SMTPAuthPlain), gomail.WithUsername(u.User.Username()),
			gomail.WithPassword(password))
	}
	return m, nil
}

// Name implements [Channel].
func (*mailbox) Name() string { return noticeMailName }

// Send implements [Channel]. What the server took, or refuses for good, is not sent again when another
// letter of the notice has to be.
func (m *mailbox) Send(ctx context.Context, n Message) (refusals []string, err error) {
	client, err := gomail.NewClient(m.host, m.options...)
	if err != nil {
		return nil, err
	}
	done, letters := m.done[n.ID], map[string]*gomail.Msg{}
	for _, to := range n.Data.To {
		if letter := m.write(n, to); letter != nil && !done[to.ID] {
			letters[to.ID] = letter
		}
	}
	if len(letters) == 0 {
		return nil, nil
	}
	failed := client.DialAndSendWithContext(ctx, slices.Collect(maps.Values(letters))...)
	if done == nil {
		done = map[string]bool{}
	}
	for to, letter := range letters {
		e, _ := errors.AsType[*gomail.SendError](letter.SendError())
		switch {
		case letter.IsDelivered():
			done[to] = true
		case e == nil:
			err = fmt.Errorf("mailing: %w", failed)
		case e.ErrorCode()/100 == 5:
			done[to] = true
			refusals = append(refusals, withoutAddresses(e))
		default:
			err = fmt.Errorf("mailing: %s", withoutAddresses(e))
		}
	}
	if m.done[n.ID] = done; err == nil {
		delete(m.done, n.ID)
	}
	return refusals, err
}

// write makes a letter, nil for somebody whom no mail reaches.
func (m *mailbox) write(n Message, to User) *gomail.Msg {
	letter := gomail.NewMsg()
	if letter.From(m.from) != nil || letter.AddToFormat(to.Name, to.Email) != nil {
		return nil
	}
	letter.SetMessageIDWithValue(n.ID + "." + to.ID + "@heddle")
	letter.SetDateWithValue(n.Timestamp)
	letter.Subject(n.headline())
	letter.SetBodyString(gomail.TypeTextPlain, n.letter())
	return letter
}

var mailAddress = regexp.MustCompile(`[^\s<>"']+@[^\s<>"']+`)

// withoutAddresses returns a server's answer without addresses, fit for a log.
func withoutAddresses(e *gomail.SendError) string {
	text, _, _ := strings.Cut(e.Error(), ", affected ")
	return mailAddress.ReplaceAllString(text, "…")
}

var noticeVerbs = map[string]string{
	"REVIEW_REQUESTED": "asks for a review of", "REVIEW_WITHDRAWN": "has withdrawn the review of",
	"REVIEW_BYPASSED": "has published past the review of",
	"VERDICT_GIVEN":   "rejects", "VERDICT_WITHDRAWN": "has taken back a verdict on",
	"VERDICT_DISMISSED": "has dismissed a verdict on",
	"THREAD_OPENED":     "comments on", "COMMENT_ADDED": "replies on",
	"SUGGESTION_APPLIED":  "has applied a suggestion to",
	"PUBLISH_UNSCHEDULED": "has ended the plan to publish",
}

// headline says it in a line.
func (n Message) headline() string {
	verb, what := noticeVerbs[n.Type], n.Data.Integration.Name
	if n.Data.Approves != nil && *n.Data.Approves {
		verb = "approves"
	}
	if n.Data.Draft.Name != "" {
		what += ", draft " + n.Data.Draft.Name
	}
	return strings.Join(strings.Fields(n.Data.By.Name+" "+verb+" "+what), " ")
}

func (n Message) letter() string {
	parts := []string{n.headline() + "."}
	for _, part := range []string{n.Data.Text, n.Data.Link} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(append(parts, n.Data.Organization.Name), "\n\n") + "\n"
}
