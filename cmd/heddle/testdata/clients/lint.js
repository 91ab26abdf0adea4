// What graphql-eslint's recommended rules for schemas and its rules for Relay find in the schema: nothing
// but these exceptions, each of which must still be found, too.
const assert = require("node:assert/strict");
const path = require("node:path");
const { readFileSync } = require("node:fs");
const { ESLint } = require("eslint");
const plugin = require("@graphql-eslint/eslint-plugin");
const { parse, visit } = require("graphql");
const { run } = require("./heddle");

const file = path.resolve(__dirname, "../../../../schema.graphqls");

// rule, where (Type, Type.field or Type.field.argument), what it says, and why it stays.
const exceptions = [
  ["naming-convention", /\.(name_Icontains|customer_Isnull|flowConfig_Flow|startedAt_Gte|status_In|sectionId_In)$/, /camelCase/, "existing clients name these arguments so"],
  ["naming-convention", /\.(description_Icontains|error_Isnull|startedAt_Lte)$/, /camelCase/, "ours beside those of the same kind, in the same lists"],
  ["strict-id-in-types", /^(\w+(Connection|Edge|Payload)|PageInfo|FieldError)$/, /identifier/, "existing clients know lists, payloads and their errors without an id; they are no things of their own"],
  ["strict-id-in-types", /^LogSeverity$/, /identifier/, "existing clients know its id as a number"],
  ["strict-id-in-types", /^ValidateIntegrationSchemaResult$/, /identifier/, "existing clients know it without an id: it is a part of the payload around it"],
  ["relay-edge-types", /\.(nodes|errors)$|^(FieldError\.messages|Integration\.labels|InstanceFlowConfig\.apiKeys|Query\.(organizationRoles|logSeverityLevels))$/, /list type/, "existing clients read these as plain lists"],
  ["relay-edge-types", /^(Customer\.labels|Instance\.labels|Integration\.versionLabels|ActionInput\.options|FieldDifference\.path|Thread\.path|ReviewPolicy\.bypass)$/, /list type/, "words, in the manner of labels and API keys; one does not page through them"],
  ["relay-edge-types", /^(IntegrationDifference\.parts|PartDifference\.fields|Draft\.changes|Verdict\.changesSince|DraftPayload\.(missed|conflicts)|(ImportIntegration|ValidateIntegrationSchema)Payload\.warnings)$/, /list type/, "computed for the one who asks, as a whole: a page of it would cost as much, in the manner of errors"],
  ["relay-edge-types", /^(Draft\.(authors|threads)|ReviewRequest\.(reviewers|verdicts)|Thread\.comments|PresenceList\.presences)$/, /list type/, "of one draft: people, or what they say (HEDDLE_MAX_COMMENTS in all), told whole with it in the manner of the roles"],
];

// placing gives the innermost definition around a place of the schema.
function placing(text) {
  const document = parse(text);
  const starts = text.split("\n").reduce((all, line) => [...all, all.at(-1) + line.length + 1], [0]);
  return ({ line, column }) => {
    const offset = starts[line - 1] + column - 1;
    const names = [];
    visit(document, {
      enter(node) {
        if (offset < node.loc.start || offset >= node.loc.end) return false;
        if (/Definition$/.test(node.kind)) names.push(node.name.value);
      },
    });
    return names.join(".");
  };
}

run(async function rules() {
  const eslint = new ESLint({ cwd: path.dirname(file), overrideConfigFile: true, overrideConfig: {
    files: ["**/*.graphqls"],
    languageOptions: { parser: plugin.parser, parserOptions: { graphQLConfig: { schema: file } } },
    plugins: { "@graphql-eslint": plugin },
    rules: { ...plugin.configs["flat/schema-recommended"].rules, ...plugin.configs["flat/schema-relay"].rules },
  } });
  const [{ messages }] = await eslint.lintFiles([file]);
  const placeOf = placing(readFileSync(file, "utf8"));
  const used = new Set();
  const findings = [];
  for (const { ruleId, line, column, message } of messages) {
    const place = placeOf({ line, column });
    const exception = exceptions.find(([rule, where, says]) => ruleId === `@graphql-eslint/${rule}` && where.test(place) && says.test(message));
    if (exception) used.add(exception);
    else findings.push(`schema.graphqls:${line} ${place}: ${message} (${ruleId})`);
  }
  assert.deepEqual(findings, []);
  assert.deepEqual(exceptions.filter((exception) => !used.has(exception)), [], "these exceptions are not needed any more");
});
