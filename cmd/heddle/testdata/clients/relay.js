// Relay's compiler takes the schema and the documents of relay/ as they are, and leaves an artifact for each.
const assert = require("node:assert/strict");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { spawnSync } = require("node:child_process");
const { run } = require("./heddle");

run(function compiles() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "relay-"));
  try {
    fs.cpSync(path.join(__dirname, "relay"), path.join(folder, "src"), { recursive: true });
    fs.copyFileSync(path.resolve(__dirname, "../../../../schema.graphqls"), path.join(folder, "schema.graphql"));
    fs.writeFileSync(path.join(folder, "relay.config.json"), JSON.stringify({ src: "./src", schema: "./schema.graphql", language: "javascript" }));
    const { status, stdout, stderr } = spawnSync(process.execPath, [require.resolve("relay-compiler/cli.js")], { cwd: folder, encoding: "utf8" });
    assert.equal(status, 0, stdout + stderr);
    assert.doesNotMatch(stdout + stderr, /\[WARN\]|error/i);
    const documents = fs.readFileSync(path.join(folder, "src/Integrations.js"), "utf8").match(/\b(?:query|fragment|mutation|subscription) Integrations\w+|queryName: "\w+/g);
    const made = fs.readdirSync(path.join(folder, "src/__generated__"));
    assert.deepEqual(made.sort(), documents.map((text) => `${text.split(/[ "]+/).pop()}.graphql.js`).sort());
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});
