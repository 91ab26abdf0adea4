package builtin

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"strings"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

type httpFormInputs struct {
	httpInputs
	Method    string           `key:"httpMethod" label:"HTTP method" default:"post" options:"post,put" doc:"The HTTP method."`
	Form      []value.KeyValue `key:"formData" label:"Form data" doc:"Fields to send. Lists and objects are sent as JSON."`
	Files     []value.KeyValue `key:"fileData" label:"File data" doc:"Files to send: text, binary data, or objects with data and contentType, such as what a binary response gives."`
	FileNames []value.KeyValue `key:"fileDataFileNames" label:"File data file names" doc:"For each file its name, under the same key; the key is the name of one that is not here."`
}

// sendForm encodes the body once, so that every attempt sends the same.
func sendForm(ctx context.Context, step component.Step, in httpFormInputs) (component.Result, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if err := in.write(value.NewBudget(ctx), form); err != nil {
		return component.Result{}, err
	}
	if err := form.Close(); err != nil {
		return component.Result{}, fmt.Errorf("writing a form: %w", err)
	}
	return send(ctx, step, strings.ToUpper(in.Method), in.httpInputs, body.Bytes(), form.FormDataContentType())
}

func (in httpFormInputs) write(budget *value.Budget, form *multipart.Writer) error {
	for _, field := range in.Form {
		if err := form.WriteField(field.Key, budget.Text(field.Value)); err != nil {
			return fmt.Errorf("writing a form: %w", err)
		}
	}
	if err := budget.Err(); err != nil {
		return err
	}
	names := objectFrom(in.FileNames)
	for _, file := range in.Files {
		data, contentType, err := encodeBody(budget, file.Value)
		if over := budget.Err(); over != nil {
			return over
		}
		if err != nil {
			return refusal.ForField(refusal.Invalid, "fileData", "the file %q cannot be sent: %v", file.Key, err)
		}
		name := value.Text(names[file.Key])
		if name == "" {
			name = file.Key
		}
		header := textproto.MIMEHeader{}
		header.Set("Content-Disposition", multipart.FileContentDisposition(file.Key, name))
		if contentType != "" && !strings.ContainsAny(contentType, "\r\n") {
			header.Set("Content-Type", contentType)
		}
		part, err := form.CreatePart(header)
		if err == nil {
			_, err = part.Write(data)
		}
		if err != nil {
			return fmt.Errorf("writing a form: %w", err)
		}
	}
	return nil
}
