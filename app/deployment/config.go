package deployment

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"heddle/app/secrets"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// ConfigInput is a value for a config variable.
type ConfigInput struct {
	Key    string
	Value  string
	Values string // of a connection: its fields, a JSON list of {name, type, value}
}

// configured reads values for an instance's config variables.
func (s *Service) configured(ctx context.Context, instance domain.Instance,
	inputs []ConfigInput) ([]domain.ConfigValue, error) {
	content, err := s.content(ctx, instance)
	if err != nil {
		return nil, err
	}
	return s.configValues(content, instance, inputs)
}

// configValues reads a client's values for config variables; a connection's fields are sealed
// before anything else sees them.
func (s *Service) configValues(content *definition.Part, instance domain.Instance,
	inputs []ConfigInput) ([]domain.ConfigValue, error) {
	var config []domain.ConfigValue
	for _, input := range inputs {
		at := slices.IndexFunc(content.ConfigVars(), func(v *definition.Part) bool { return v.Key() == input.Key })
		if at < 0 {
			return nil, refusal.ForField(refusal.Invalid, "configVariables",
				"%q is no config variable of this version; it has %s",
				input.Key, configKeys(content))
		}
		variable := content.ConfigVars()[at]
		value := domain.ConfigValue{Variable: variable.ID, Key: variable.Key()}
		if variable.IsConnection() {
			plain, err := fields(value.Key, input.Values)
			if err != nil {
				return nil, err
			}
			if value.Sealed, err = s.seal(instance, domain.ConfigContext(instance.ID, variable.ID), plain); err != nil {
				return nil, err
			}
		} else if value.Value = input.Value; value.Value != "" {
			if err := domain.CheckConfigValue(variable, value.Value); err != nil {
				return nil, err
			}
		}
		config = append(config, value)
	}
	return config, nil
}

// seal seals a secret of an instance for its place.
func (s *Service) seal(instance domain.Instance, place string, plain []byte) ([]byte, error) {
	sealed, err := s.Secrets.Seal(instance, place, plain)
	if errors.Is(err, secrets.ErrNoKey) {
		err = refusal.Missing("data key")
	}
	return sealed, err
}

func configKeys(content *definition.Part) string {
	var keys []string
	for _, v := range content.ConfigVars() {
		keys = append(keys, v.Key())
	}
	if len(keys) == 0 {
		return "none"
	}
	return strings.Join(keys, ", ")
}

// fields reads a connection's fields, a JSON list of {name, type, value}.
func fields(key, list string) ([]byte, error) {
	var inputs []struct {
		Name  string `json:"name"`
		Value any    `json:"value"`
	}
	if err := json.Unmarshal([]byte(list), &inputs); err != nil {
		return nil, refusal.ForField(refusal.Invalid, "configVariables",
			"%q is a connection: values must be a JSON list of {name, type, value}", key)
	}
	all := map[string]any{}
	for _, f := range inputs {
		all[f.Name] = f.Value
	}
	return json.Marshal(all)
}

// lacking says what a config variable needs before its instance can be deployed, or nothing.
func lacking(variable *definition.Part, instance domain.Instance) string {
	set, isSet := instance.Config[variable.ID]
	switch {
	case variable.Text("useScopedConfigVar") != "":
		return "is a connection that integrations share, which this server has not; force the deploy to leave it out"
	case variable.IsConnection():
		missing := emptyFields(variable)
		switch {
		case isSet:
		case len(variable.Inputs()) == 0:
			return "is a connection without values; set them, or force the deploy"
		case len(missing) > 0:
			return "is a connection without a value for " + strings.Join(missing, ", ") +
				"; set it, or force the deploy"
		}
	case isSet && set.Value != "", variable.Default() != "":
	case variable.Fields["defaultValue"] == nil:
		return "has neither a value nor a default; set it, or force the deploy"
	}
	return ""
}

// emptyFields returns the fields of a connection for which the definition has no value either.
func emptyFields(variable *definition.Part) []string {
	var names []string
	for name, input := range variable.Inputs() {
		m, _ := input.(map[string]any)
		if m["value"] == nil || m["value"] == "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
