package builtin

import (
	"strings"

	"github.com/google/uuid"

	"heddle/component"
	"heddle/component/value"
)

func init() {
	register(component.Component{
		Key: "uuid", Label: "UUID", Category: "Data", Description: "Makes unique ids.",
		Actions: []component.Action{
			component.NewAction("generateUuid", "Generate UUID", "Gives a new random UUID, another one each time.",
				pure(generateUUID)),
			component.NewAction("emptyUuid", "Nil/empty UUID", "Gives the UUID of zeros only.",
				pure(func(*value.Budget, struct{}) (any, error) { return uuid.Nil.String(), nil })),
		},
	})
}

type uuidInputs struct {
	Case   string `key:"uuidCase" label:"Lower/upper case UUID" default:"lower" options:"lower,upper" doc:"How to write the letters."`
	Dashes bool   `key:"removeDashes" label:"Remove dashes?" default:"false" doc:"Write it without dashes."`
}

func generateUUID(_ *value.Budget, in uuidInputs) (any, error) {
	id := uuid.NewString()
	if in.Dashes {
		id = strings.ReplaceAll(id, "-", "")
	}
	if in.Case == "upper" {
		id = strings.ToUpper(id)
	}
	return id, nil
}
