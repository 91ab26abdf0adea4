package domain

// latest is the version of a component reference that follows the newest published one.
const latest = "LATEST"

// shape tells what a field may hold. Anything may be null, which means not set.
type shape struct {
	is   valueKind
	keys map[string]shape // of a mapping: the known keys; nil if any key may be there
	each *shape           // of a list: its items; of a mapping without keys: its values
	enum []string         // of a text: the known values
	must bool             // it must be there and, as text, not be empty
}

type valueKind string

const (
	anyValue  valueKind = "anything"
	textValue valueKind = "text"
	flagValue valueKind = "true or false"
	intValue  valueKind = "a whole number"
	listValue valueKind = "a list"
	mapValue  valueKind = "a map"
	input     valueKind = "an input" // a map with type and value
)

func fields(keys map[string]shape) shape { return shape{is: mapValue, keys: keys} }
func listOf(item shape) shape            { return shape{is: listValue, each: &item} }
func oneOf(values ...string) shape       { return shape{is: textValue, enum: values} }

var (
	anything = shape{is: anyValue}
	someText = shape{is: textValue}
	someName = shape{is: textValue, must: true}
	flag     = shape{is: flagValue}
	integer  = shape{is: intValue}
	oneInput = shape{is: input}
	inputs   = shape{is: mapValue, each: &oneInput}

	componentRef = shape{is: mapValue, must: true, keys: map[string]shape{
		"key": someName, "isPublic": flag, "version": anything, "signature": someText,
	}}
	visibility = fields(map[string]shape{
		"visibleToCustomerDeployer": flag, "visibleToOrgDeployer": flag, "orgOnly": flag,
		"isVisibleToCustomerDeployer": flag, "isVisibleToOrgDeployer": flag, // as older exports spell them
		"oAuthSuccessRedirectUri": someText, "oAuthFailureRedirectUri": someText,
		"writeOnly": flag, "validationMode": someText, "dataSourceReset": oneOf("prompt", "always"),
	})
	scheduleType = oneOf("none", "once", "custom", "minute", "hour", "day", "week")
	renames      = listOf(fields(map[string]shape{"oldName": someName, "newName": someName}))
)

// inputKinds are the known types of inputs. Source: the observed format, section 4.
var inputKinds = []string{"value", "reference", "configVar", "template", "complex", "dataSource", "scopedConfigVar"}

// shapes tells the known fields of each kind of part. Source: the observed format, sections 2 to 4;
// a key that is not here is kept with a warning.
var shapes = map[partKind]map[string]shape{
	rootPart: {
		"name": someName, "description": someText, "documentation": someText, "category": someText,
		"labels": listOf(someText), "definitionVersion": integer, "definitionType": someText,
		"defaultInstanceProfile": someText, "isSynchronous": flag, "isCodeNative": flag,
		"version": anything, "importMetadata": anything,
		"endpointType":       oneOf("flow_specific", "instance_specific", "shared_instance"),
		"preprocessFlowName": someText, "flowNameField": oneInput,
		"externalCustomerIdField": oneInput, "externalCustomerUserIdField": oneInput,
		"renameAttributes": fields(map[string]shape{configVarList: renames, flowList: renames}),
	},
	flowPart: {
		"name": someName, "description": someText, "isSynchronous": flag, "isAgentFlow": flag,
		"stableKey":            someText,
		"endpointSecurityType": oneOf("unsecured", "customer_optional", "customer_required", "organization"),
		"organizationApiKeys":  listOf(anything),
		"retryConfig": fields(map[string]shape{
			"maxAttempts": integer, "delayMinutes": integer, "usesExponentialBackoff": flag, "uniqueRequestIdField": oneInput,
		}),
		"queueConfig": fields(map[string]shape{
			"usesFifoQueue": flag, "concurrencyLimit": integer, "dedupeIdField": oneInput, "singletonExecutions": flag,
		}),
		"triggerResolver": fields(map[string]shape{
			"enabled": flag, "batchSize": integer, "concurrentBatchLimit": integer, "runInitialSyncOnDeploy": flag,
		}),
		"schemas":                {is: mapValue}, // plain JSON Schema
		"supplementalComponents": listOf(componentRef),
		"renameAttributes":       fields(map[string]shape{stepList: renames}),
	},
	stepPart: {
		"name": someName, "description": someText, "stableKey": someText, "isTrigger": flag, "inputs": inputs,
		"action": {is: mapValue, must: true, keys: map[string]shape{"key": someName, "component": componentRef}},
		"schedule": fields(map[string]shape{
			"type": oneOf("value", "configVar"), "value": someText,
			"meta": fields(map[string]shape{"scheduleType": scheduleType, "timeZone": someText}),
		}),
		"errorConfig": fields(map[string]shape{
			"errorHandlerType": oneOf("fail", "ignore", "retry"), "maxAttempts": integer, "delaySeconds": integer,
			"usesExponentialBackoff": flag, "ignoreFinalError": flag,
		}),
	},
	branchPart: {"name": someName},
	pagePart: {
		"name": someName, "tagline": someText, "userLevelConfigured": flag,
		"elements": listOf(fields(map[string]shape{
			"type": oneOf("configVar", "htmlElement", "jsonForm"), "value": someText,
		})),
	},
	configVarPart: {
		"key": someName, "description": someText, "stableKey": someText, "defaultValue": anything, "orgOnly": flag,
		"dataType": oneOf("string", "date", "timestamp", "picklist", "schedule", "code", "boolean", "number",
			"connection", "objectSelection", "objectFieldMap", "jsonForm"),
		"pickList": listOf(anything), "scheduleType": scheduleType, "timeZone": someText,
		"codeLanguage":              oneOf("json", "xml", "html"),
		"collectionType":            oneOf("valuelist", "keyvaluelist"),
		"onPremiseConnectionConfig": oneOf("allowed", "disallowed", "required"),
		"useScopedConfigVar":        someText, "header": someText, "hasDivider": flag, "credentialTypes": anything,
		"connection": fields(map[string]shape{"key": someName, "component": componentRef, "template": someText}),
		"dataSource": fields(map[string]shape{"key": someName, "component": componentRef}),
		"inputs":     inputs, "meta": visibility,
	},
}
