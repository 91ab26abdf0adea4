// promised.graphqls is the schema as clients have been promised it, without its words. What would break
// them is refused; what is new is promised by npm run promise. To break a promise on purpose, take it out
// of that file by hand.
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { buildASTSchema, findBreakingChanges, parse, printSchema, visit } = require("graphql");
const { run } = require("./heddle");

const promisedFile = path.join(__dirname, "promised.graphqls");
const read = (file) => {
  const wordless = visit(parse(fs.readFileSync(file, "utf8")), { enter: (node) => (node.description ? { ...node, description: undefined } : undefined) });
  return buildASTSchema(wordless);
};

run(function promises() {
  const promised = read(promisedFile);
  const schema = read(path.resolve(__dirname, "../../../../schema.graphqls"));
  assert.deepEqual(findBreakingChanges(promised, schema).map(({ description }) => description), [], "the schema breaks its clients");
  const text = printSchema(schema) + "\n";
  if (process.argv[2] === "promise") fs.writeFileSync(promisedFile, text);
  assert.equal(fs.readFileSync(promisedFile, "utf8"), text, "the schema has more than is promised: npm run promise");
});
