// What the client of graphql-sse does with the server, one connection for each operation. The mode with a
// single connection for all of them is not served: its reservation is refused.
const assert = require("node:assert/strict");
const { createClient } = require("graphql-sse");
const { api, authorization, instance, describe, execution, gate, wire, run } = require("./heddle");

const PROGRESS = "subscription ($id: ID!, $after: String) { executionProgress(executionId: $id, after: $after) { cursor type } }";
const CHANGED = "subscription ($id: ID!) { instanceChanged(id: $id) { description } }";

const connect = (options) => createClient({ url: api, headers: { authorization }, ...options });
const next = async (results) => {
  const { value, done } = await results.next();
  assert.deepEqual([done, value?.errors], [false, undefined]);
  return Object.values(value.data)[0];
};

async function queries() {
  const client = connect();
  const one = client.iterate({ query: "query A { organization { name } } query B { __typename }", operationName: "A" });
  assert.deepEqual(await next(one), { name: "Heddle" });
  assert.equal((await one.next()).done, true);
  const made = client.iterate({ query: `mutation ($name: String!) { createCustomer(input: { name: $name }) { customer { name } } }`, variables: { name: "Events" } });
  assert.deepEqual(await next(made), { customer: { name: "Events" } });
  for (const [query, code] of [["{ organisation }", "GRAPHQL_VALIDATION_FAILED"], [`{ customer(id: "none") { id } }`, "NOT_FOUND"]]) {
    const { value } = await client.iterate({ query }).next();
    assert.deepEqual([value.data ?? null, value.errors[0].extensions.code], [null, code]);
  }
  client.dispose();
}

async function feeds() {
  const client = connect();
  const hook = await gate();
  const id = await execution(hook.url);
  const results = client.iterate({ query: PROGRESS, variables: { id } });
  const all = [await next(results), await next(results)];
  hook.open();
  for (let step = 0; step < 3; step++) all.push(await next(results));
  assert.equal(all.map(({ type }) => type).join(" "), "QUEUED CLAIMED STEP_FINISHED STEP_FINISHED FINISHED");
  assert.equal((await results.next()).done, true);
  hook.close();
  for (const at of all.keys()) {
    const rest = [];
    for await (const { data } of client.iterate({ query: PROGRESS, variables: { id, after: all[at].cursor } })) rest.push(data.executionProgress);
    assert.deepEqual(rest, all.slice(at + 1));
  }
  client.dispose();
}

async function reconnecting() {
  const way = await wire();
  const client = connect({ url: way.url, retryAttempts: 5, retry: async () => {} });
  const changes = client.iterate({ query: CHANGED, variables: { id: instance } });
  await describe("events, before");
  while ((await next(changes)).description !== "events, before");
  way.cut();
  await describe("events, behind");
  while ((await next(changes)).description !== "events, behind");
  await changes.return();
  way.close();
  client.dispose();
}

async function refusals() {
  const anonymous = createClient({ url: api, retryAttempts: 0 });
  const { value } = await anonymous.iterate({ query: "{ organization { name } }" }).next();
  assert.equal(value.errors[0].extensions.code, "UNAUTHENTICATED");
  const single = connect({ singleConnection: true, retryAttempts: 0 });
  await assert.rejects(single.iterate({ query: "{ __typename }" }).next(), (err) => err.response.status === 405);
}

run(queries, feeds, reconnecting, refusals);
