package definition

// latest is the version of a component reference that follows the newest published one.
const latest = "LATEST"

// shape describes the values of a field. Anything may be null, which means not set.
type shape struct {
	is   valueKind
	keys map[string]shape // of a mapping: the known keys; nil if any key may be there
	each *shape           // of a list: its items; of a mapping without keys: its values
	enum []string         // of a text: the known values
	must bool             // it must exist and, if text, not be empty
}

type valueKind string

const (
	anyValue   valueKind = "anything"
	textValue  valueKind = "text"
	flagValue  valueKind = "true or false"
	intValue   valueKind = "a whole number"
	listValue  valueKind = "a list"
	mapValue   valueKind = "a map"
	inputValue valueKind = "an input" // a map with type and value
)

func mapOf(keys map[string]shape) shape { return shape{is: mapValue, keys: keys} }
func listOf(item shape) shape           { return shape{is: listValue, each: &item} }
func oneOf(values ...string) shape      { return shape{is: textValue, enum: values} }

var (
	someValue  = shape{is: anyValue}
	someText   = shape{is: textValue}
	someName   = shape{is: textValue, must: true}
	someFlag   = shape{is: flagValue}
	someInt    = shape{is: intValue}
	oneInput   = shape{is: inputValue}
	someInputs = shape{is: mapValue, each: &oneInput}

	componentRef = shape{is: mapValue, must: true, keys: map[string]shape{
		"key": someName, "isPublic": someFlag, "version": someValue, "signature": someText,
	}}
	visibility = mapOf(map[string]shape{
		"visibleToCustomerDeployer": someFlag, "visibleToOrgDeployer": someFlag, "orgOnly": someFlag,
		"isVisibleToCustomerDeployer": someFlag, "isVisibleToOrgDeployer": someFlag, // as older exports spell them
		"oAuthSuccessRedirectUri": someText, "oAuthFailureRedirectUri": someText,
		"writeOnly": someFlag, "validationMode": someText, "dataSourceReset": oneOf("prompt", "always"),
	})
	scheduleType = oneOf("none", "once", "custom", "minute", "hour", "day", "week")
	renames      = listOf(mapOf(map[string]shape{"oldName": someName, "newName": someName}))
)

// inputKinds are the known types of inputs. Source: the observed format, section 4.
var inputKinds = []string{"value", "reference", "configVar", "template", "complex", "dataSource", "scopedConfigVar"}

// shapes holds the known fields of each kind of part. Source: the observed format, sections 2 to 4; an unknown
// key is kept with a warning.
var shapes = map[partKind]map[string]shape{
	rootPart: {
		"name": someName, "description": someText, "documentation": someText, "category": someText,
		"labels": listOf(someText), "definitionVersion": someInt, "definitionType": someText,
		"defaultInstanceProfile": someText, "isSynchronous": someFlag, "isCodeNative": someFlag,
		"version": someValue, "importMetadata": someValue,
		"endpointType":       oneOf("flow_specific", "instance_specific", "shared_instance"),
		"preprocessFlowName": someText, "flowNameField": oneInput,
		"externalCustomerIdField": oneInput, "externalCustomerUserIdField": oneInput,
		"renameAttributes": mapOf(map[string]shape{configVarList: renames, flowList: renames}),
	},
	flowPart: {
		"name": someName, "description": someText, "isSynchronous": someFlag, "isAgentFlow": someFlag,
		"stableKey":            someText,
		"endpointSecurityType": oneOf("unsecured", "customer_optional", "customer_required", "organization"),
		apiKeysField:           listOf(someText),
		"retryConfig": mapOf(map[string]shape{
			"maxAttempts": someInt, "delayMinutes": someInt, "usesExponentialBackoff": someFlag,
			"uniqueRequestIdField": oneInput,
		}),
		"queueConfig": mapOf(map[string]shape{
			"usesFifoQueue": someFlag, "concurrencyLimit": someInt, "dedupeIdField": oneInput,
			"singletonExecutions": someFlag,
		}),
		"triggerResolver": mapOf(map[string]shape{
			"enabled": someFlag, "batchSize": someInt, "concurrentBatchLimit": someInt,
			"runInitialSyncOnDeploy": someFlag,
		}),
		"schemas":                {is: mapValue}, // plain JSON Schema
		"supplementalComponents": listOf(componentRef),
		"renameAttributes":       mapOf(map[string]shape{stepList: renames}),
	},
	stepPart: {
		"name": someName, "description": someText, "stableKey": someText, "isTrigger": someFlag, "inputs": someInputs,
		"action": {is: mapValue, must: true, keys: map[string]shape{"key": someName, "component": componentRef}},
		"schedule": mapOf(map[string]shape{
			"type": oneOf("value", "configVar"), "value": someText,
			"meta": mapOf(map[string]shape{"scheduleType": scheduleType, "timeZone": someText}),
		}),
		"errorConfig": mapOf(map[string]shape{
			"errorHandlerType": oneOf("fail", "ignore", "retry"), "maxAttempts": someInt, "delaySeconds": someInt,
			"usesExponentialBackoff": someFlag, "ignoreFinalError": someFlag,
		}),
	},
	branchPart: {"name": someName},
	pagePart: {
		"name": someName, "tagline": someText, "userLevelConfigured": someFlag,
		"elements": listOf(mapOf(map[string]shape{
			"type": oneOf("configVar", "htmlElement", "jsonForm"), "value": someText,
		})),
	},
	configVarPart: {
		"key": someName, "description": someText, "stableKey": someText, "defaultValue": someValue, "orgOnly": someFlag,
		"dataType": oneOf("string", "date", "timestamp", "picklist", "schedule", "code", "boolean", "number",
			"connection", "objectSelection", "objectFieldMap", "jsonForm"),
		"pickList": listOf(someValue), "scheduleType": scheduleType, "timeZone": someText,
		"codeLanguage":              oneOf("json", "xml", "html"),
		"collectionType":            oneOf("valuelist", "keyvaluelist"),
		"onPremiseConnectionConfig": oneOf("allowed", "disallowed", "required"),
		"useScopedConfigVar":        someText, "header": someText, "hasDivider": someFlag, "credentialTypes": someValue,
		"connection": mapOf(map[string]shape{"key": someName, "component": componentRef, "template": someText}),
		"dataSource": mapOf(map[string]shape{"key": someName, "component": componentRef}),
		"inputs":     someInputs, "meta": visibility,
	},
}
