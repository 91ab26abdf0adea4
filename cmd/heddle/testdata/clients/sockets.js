// What the client of graphql-ws does with the server.
const assert = require("node:assert/strict");
const { createClient } = require("graphql-ws");
const WebSocket = require("ws");
const { ws, token, instance, ask, describe, execution, gate, wire, run } = require("./heddle");

const PROGRESS = "subscription ($id: ID!, $after: String) { executionProgress(executionId: $id, after: $after) { cursor type } }";
const CHANGED = "subscription ($id: ID!) { instanceChanged(id: $id) { description } }";

const connect = (options) => createClient({ url: ws, webSocketImpl: WebSocket, connectionParams: { authToken: token }, ...options });
const next = async (results) => {
  const { value, done } = await results.next();
  assert.deepEqual([done, value?.errors], [false, undefined]);
  return Object.values(value.data)[0];
};
const types = async (results, count) => {
  const all = [];
  while (all.length < count) all.push((await next(results)).type);
  return all.join(" ");
};

async function queries() {
  const client = connect();
  const one = client.iterate({ query: "query A { organization { name } } query B { __typename }", operationName: "A" });
  assert.deepEqual(await next(one), { name: "Heddle" });
  assert.equal((await one.next()).done, true);
  const many = Array.from({ length: 50 }, (_, n) => client.iterate({ query: "query ($id: ID!) { instance(id: $id) { id } }", variables: { id: instance } }));
  for (const results of many) assert.deepEqual(await next(results), { id: instance });
  const refused = await client.iterate({ query: `{ customer(id: "none") { id } }` }).next();
  assert.deepEqual([refused.value.data, refused.value.errors[0].extensions.code], [null, "NOT_FOUND"]);
  await assert.rejects(client.iterate({ query: "{ organisation { name } }" }).next(), (errors) => errors[0].message.startsWith("Cannot query field"));
  const made = client.iterate({ query: `mutation { createCustomer(input: { name: "Sockets" }) { customer { name } errors { field } } }` });
  assert.deepEqual(await next(made), { customer: { name: "Sockets" }, errors: [] });
  await client.dispose();
}

async function feeds() {
  const client = connect();
  const hook = await gate();
  const id = await execution(hook.url);
  const results = client.iterate({ query: PROGRESS, variables: { id } });
  assert.equal(await types(results, 2), "QUEUED CLAIMED");
  hook.open();
  assert.match(await types(results, 3), /^STEP_FINISHED STEP_FINISHED FINISHED$/);
  assert.equal((await results.next()).done, true);
  hook.close();
  await client.dispose();
}

async function resuming() {
  const client = connect();
  const id = await execution();
  const all = [];
  for await (const { data } of client.iterate({ query: PROGRESS, variables: { id } })) all.push(data.executionProgress);
  assert.equal(all.at(-1).type, "FINISHED");
  for (const at of all.keys()) {
    const rest = [];
    for await (const { data } of client.iterate({ query: PROGRESS, variables: { id, after: all[at].cursor } })) rest.push(data.executionProgress);
    assert.deepEqual(rest, all.slice(at + 1));
  }
  await client.dispose();
}

async function leaving() {
  const client = connect({ lazy: false });
  const results = client.iterate({ query: CHANGED, variables: { id: instance } });
  await next(results);
  await results.return();
  await describe("nobody is told");
  const again = client.iterate({ query: CHANGED, variables: { id: instance } });
  assert.deepEqual(await next(again), { description: "nobody is told" });
  await describe("somebody is told");
  assert.deepEqual(await next(again), { description: "somebody is told" });
  await client.dispose();
}

// What was subscribed to before a connection was lost goes on behind it, on a new one.
async function reconnecting() {
  const way = await wire();
  let connected = 0;
  const client = connect({ url: way.url.replace("http", "ws"), shouldRetry: () => true, retryWait: async () => {}, on: { connected: () => connected++ } });
  const changes = client.iterate({ query: CHANGED, variables: { id: instance } });
  await describe("before");
  while ((await next(changes)).description !== "before");
  way.cut();
  await describe("behind");
  while ((await next(changes)).description !== "behind");
  assert.equal(connected, 2);
  // a feed goes on behind the cursor that was seen last
  const hook = await gate();
  const id = await execution(hook.url);
  const results = client.iterate({ query: PROGRESS, variables: { id } });
  await next(results);
  const { cursor, type } = await next(results);
  assert.equal(type, "CLAIMED");
  await results.return();
  way.cut();
  hook.open();
  assert.equal(await types(client.iterate({ query: PROGRESS, variables: { id, after: cursor } }), 3), "STEP_FINISHED STEP_FINISHED FINISHED");
  hook.close();
  way.close();
  await client.dispose();
}

async function pings() {
  let pongs = 0;
  let enough;
  const done = new Promise((resolve) => (enough = resolve));
  const client = connect({ lazy: false, keepAlive: 10, on: { pong: (received) => received && ++pongs === 3 && enough() } });
  await done;
  await client.dispose();
}

async function refusals() {
  for (const [connectionParams, code] of [[{}, 4403], [{ authToken: "none" }, 4403]]) {
    const client = connect({ connectionParams, retryAttempts: 0 });
    await assert.rejects(client.iterate({ query: "{ __typename }" }).next(), (event) => event.code === code);
  }
  const client = connect({ connectionParams: { Authorization: `Bearer ${token}` } });
  assert.equal(await next(client.iterate({ query: "{ __typename }" })), "Query");
  await client.dispose();
}

run(queries, feeds, resuming, leaving, reconnecting, pings, refusals);
