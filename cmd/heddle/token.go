package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"
)

// tokenCmd asks a running server, with the administrator's token of the configuration.
type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a token and print it, this once."`
	List   tokenListCmd   `cmd:"" help:"List the tokens."`
	Revoke tokenRevokeCmd `cmd:"" help:"End a token."`
}

type tokenCreateCmd struct {
	Name string `arg:"" help:"What the token is for."`
	User string `help:"Id of the user that it acts as; the administrator by default."`
}

// Run makes a token.
func (c tokenCreateCmd) Run(ctx context.Context, s *settings, stdout io.Writer) error {
	var data struct{ CreateAPIToken struct{ Secret string } }
	err := s.ask(ctx, `mutation($name: String!, $user: ID) { createApiToken(input: {name: $name, user: $user}) { secret errors { field messages } } }`,
		map[string]any{"name": c.Name, "user": c.User}, &data)
	if err == nil {
		_, err = fmt.Fprintln(stdout, data.CreateAPIToken.Secret)
	}
	return err
}

type tokenListCmd struct{}

// Run lists all tokens.
func (tokenListCmd) Run(ctx context.Context, s *settings, stdout io.Writer) error {
	table := tabwriter.NewWriter(stdout, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tNAME\tUSER\tCREATED\tREVOKED")
	for after := ""; ; {
		var data struct {
			APITokens struct {
				Nodes []struct {
					ID, Name, CreatedAt, RevokedAt string
					User                           struct{ Email string }
				}
				PageInfo struct {
					HasNextPage bool
					EndCursor   string
				}
			}
		}
		if err := s.ask(ctx, `query($after: String) { apiTokens(after: $after) { nodes { id name createdAt revokedAt user { email } }
			pageInfo { hasNextPage endCursor } } }`, map[string]any{"after": after}, &data); err != nil {
			return err
		}
		for _, t := range data.APITokens.Nodes {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, t.User.Email, t.CreatedAt, t.RevokedAt)
		}
		if after = data.APITokens.PageInfo.EndCursor; !data.APITokens.PageInfo.HasNextPage {
			return table.Flush()
		}
	}
}

type tokenRevokeCmd struct {
	ID string `arg:"" help:"The token's id, as list shows it."`
}

// Run ends a token.
func (c tokenRevokeCmd) Run(ctx context.Context, s *settings) error {
	return s.ask(ctx, `mutation($id: ID!) { revokeApiToken(input: {id: $id}) { errors { field messages } } }`,
		map[string]any{"id": c.ID}, nil)
}

// ask sends a document to the running server and decodes its data.
func (s *settings) ask(ctx context.Context, query string, variables map[string]any, into any) error {
	if s.AdminToken == "" {
		return errors.New("set HEDDLE_ADMIN_TOKEN to an administrator's token")
	}
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.publicURL(s.Listen)+"/api", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+s.AdminToken)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("asking the server (is it running? HEDDLE_PUBLIC_URL, HEDDLE_LISTEN): %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	return readAnswer(response.Body, into)
}

// readAnswer decodes a GraphQL answer; errors of the request and of a payload alike are errors.
func readAnswer(body io.Reader, into any) error {
	var answer struct {
		Data   json.RawMessage
		Errors []struct{ Message string }
	}
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return fmt.Errorf("the server's answer is no GraphQL answer: %w", err)
	}
	if len(answer.Errors) > 0 {
		return errors.New(answer.Errors[0].Message)
	}
	var payloads map[string]struct {
		Errors []struct {
			Field    string
			Messages []string
		}
	}
	if err := json.Unmarshal(answer.Data, &payloads); err != nil {
		return err
	}
	for _, p := range payloads {
		for _, e := range p.Errors {
			return fmt.Errorf("%s: %s", e.Field, strings.Join(e.Messages, "; "))
		}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer.Data, into)
}
