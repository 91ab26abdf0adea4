// What the command line of the format's home system does with the server, unmodified. It is given
// nothing but the server's address and a token, as a script would. All commands run in this process: to
// begin one takes seconds of processor time.
const assert = require("node:assert/strict");
const path = require("node:path");
const { mkdtempSync, rmSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { url, token, run } = require("./heddle");

const root = path.join(__dirname, "node_modules/@prismatic-io/prism");
const { run: perform } = require(require.resolve("@oclif/core", { paths: [root] }));
const home = mkdtempSync(path.join(tmpdir(), "commands"));
process.on("exit", () => rmSync(home, { recursive: true }));
process.chdir(home);
Object.assign(process.env, { HOME: home, NO_PROXY: "127.0.0.1", PRISMATIC_URL: url, PRISM_ACCESS_TOKEN: token, PRISM_SKIP_NEW_VERSION_CHECK: "true", PRISM_QUIET: "true" });
const definition = `definitionVersion: 7
name: Commands
description: ""
configPages: [{name: Configuration, elements: [{type: configVar, value: Greeting}]}]
requiredConfigVars: [{key: Greeting, stableKey: greeting, dataType: string, defaultValue: Hello, orgOnly: false}]
flows:
  - name: Main
    steps:
      - name: Hook
        isTrigger: true
        action: {key: webhook, component: {key: webhook-triggers, isPublic: true, version: LATEST}}
        inputs: {}
      - name: Order
        action: {key: createObject, component: {key: collection-tools, isPublic: true, version: LATEST}}
        inputs:
          keyValueInput: {type: complex, value: [{name: id, type: reference, value: hook.results.body.data.id}, {name: greeting, type: configVar, value: Greeting}]}
`;

// command gives what a command prints, trimmed.
async function command(...args) {
  let printed = "";
  const { write } = process.stdout;
  process.stdout.write = (text) => (printed += text, true);
  try {
    await perform(args, { root });
  } finally {
    process.stdout.write = write;
  }
  return printed.trim();
}

const refused = (says, ...args) => assert.rejects(command(...args), says);
const table = async (...args) => JSON.parse(await command(...args, "--output", "json"));
const file = (name, text) => (writeFileSync(path.join(home, name), text), name);
const made = {};

async function people() {
  assert.match(await command("me"), /Organization: Heddle/);
  assert.ok((await table("organization:users:roles")).some((role) => role.name === "ADMIN"));
  made.customer = await command("customers:create", "-n", "By command", "-e", "by-command", "-l", "one");
  assert.deepEqual((await table("customers:list", "-x")).find((c) => c.id === made.customer),
    { id: made.customer, name: "By command", description: "", externalId: "by-command" });
  assert.match(await command("organization:users:create", "-e", "by-command@example.com", "-r", "VIEWER", "-n", "By"), /^[0-9a-f-]{36}$/);
}

async function authoring() {
  file("own.yml", definition);
  assert.match(await command("integrations:validate-yaml", "own.yml"), /valid/i);
  await refused(/dangling reference "gone\.results"/, "integrations:validate-yaml", file("bad.yml", definition.replace("hook.results.body.data.id", "gone.results")));
  made.integration = await command("integrations:import", "-p", "own.yml");
  const exported = await command("integrations:export", made.integration);
  assert.equal(await command("integrations:import", "-p", file("exported.yml", exported), "-i", made.integration), made.integration);
  assert.equal(await command("integrations:export", made.integration), exported);
  assert.equal(await command("integrations:update", made.integration, "-d", "By command"), made.integration);
  const listed = (await table("integrations:list", "-x")).find(({ id }) => id === made.integration);
  assert.deepEqual([listed.name, listed.description], ["Commands", "By command"]);
  const fork = await command("integrations:fork", made.integration, "-n", "Fork", "-d", "of it");
  assert.equal((await table("integrations:flows:list", fork))[0].name, "Main");
  await command("integrations:delete", fork);
  assert.ok(!(await table("integrations:list", "-x")).some(({ id }) => id === fork));
}

async function testing() {
  file("payload.json", JSON.stringify({ id: 7 }));
  const out = await command("integrations:flows:test", "-i", made.integration, "-n", "Main", "--sync", "-p", "payload.json");
  const execution = /Execution ID: (\S+)/.exec(out)?.[1];
  const result = await command("executions:step-result:get", "-e", execution, "-s", "Order");
  assert.deepEqual(JSON.parse(result), { id: 7, greeting: "Hello" });
  assert.ok((await table("logs:severities:list")).some(({ name }) => name === "ERROR"));
  await command("integrations:set-debug", "true", "-i", made.integration);
}

async function publishing() {
  made.version = await command("integrations:publish", made.integration, "-c", "first");
  assert.equal(await command("integrations:available", made.version, "-a"), made.version);
  assert.equal(await command("integrations:marketplace", made.version, "-a", "-o", "An overview"), made.version);
  const [version] = await table("integrations:versions", made.integration, "-x");
  assert.deepEqual([version.versionNumber, version.id, version.versionComment, version.available], ["1", made.version, "first", "true"]);
}

async function deploying() {
  made.instance = await command("instances:create", "-n", "By command", "-i", made.version, "-c", made.customer, "-v", '[{"key":"Greeting","value":"Hi"}]');
  for (const args of [["instances:deploy"], ["instances:deploy", "-f"], ["instances:update", "-d", "new", "--deploy"], ["instances:disable"], ["instances:enable"]]) {
    assert.equal(await command(args[0], made.instance, ...args.slice(1)), made.instance);
  }
  const [{ value, defaultValue }] = await table("instances:config-vars:list", made.instance);
  assert.deepEqual([value, defaultValue], ["Hi", "Hello"]);
  const [{ webhookUrl }] = await table("instances:flow-configs:list", made.instance, "-x");
  const answer = await fetch(webhookUrl, { method: "POST", headers: { "content-type": "application/json", "prismatic-synchronous": "true" }, body: '{"id":8}' });
  assert.deepEqual(await answer.json(), { id: 8, greeting: "Hi" });
  await command("instances:delete", made.instance);
  assert.ok(!(await table("instances:list", "-x")).some(({ id }) => id === made.instance));
}

async function catalogue() {
  assert.ok((await table("components:list", "-x")).some(({ key }) => key === "http"));
  assert.ok((await table("components:actions:list", "http", "--public", "-x")).some(({ key }) => key === "httpGet"));
  assert.ok((await table("components:triggers:list", "webhook-triggers", "--public", "-x")).some(({ key }) => key === "webhook"));
  assert.match(await command("graphql:query", "{ components(first: 1) { nodes { key } } }"), /"key"/);
}

async function refusals() {
  await refused(/Record not found: instance/, "instances:deploy", "nonsense");
  await refused(/externalId: "by-command" is already in use/, "customers:create", "-n", "Twin", "-e", "by-command");
  process.env.PRISM_ACCESS_TOKEN = "wrong";
  await refused(/needs a valid API token/, "me");
}

run(people, authoring, testing, publishing, deploying, catalogue, refusals);
