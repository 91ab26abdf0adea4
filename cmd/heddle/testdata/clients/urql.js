// What urql does with the server, set up as its documentation does it: subscriptions over WebSocket, and
// over server-sent events without another package.
const assert = require("node:assert/strict");
const { Client, cacheExchange, fetchExchange, gql, subscriptionExchange } = require("@urql/core");
const { createClient } = require("graphql-ws");
const { api, ws, token, authorization, instance, describe, execution, gate, run } = require("./heddle");

const socket = createClient({ url: ws, webSocketImpl: require("ws"), connectionParams: { authToken: token } });
const fetchOptions = { headers: { authorization } };
const forwardSubscription = ({ query, variables }) => ({
  subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query ?? "", variables }, sink) }),
});
const clients = {
  WebSocket: new Client({ url: api, preferGetMethod: false, fetchOptions, exchanges: [cacheExchange, subscriptionExchange({ forwardSubscription }), fetchExchange] }),
  events: new Client({ url: api, preferGetMethod: false, fetchOptions, fetchSubscriptions: true, exchanges: [cacheExchange, fetchExchange] }),
};
const INSTANCE = gql`query ($id: ID!) { instance(id: $id) { id name description } }`;

async function queries() {
  for (const preferGetMethod of [false, "force", "within-url-limit"]) {
    const { data, error } = await clients.WebSocket.query(INSTANCE, { id: instance }, { preferGetMethod, requestPolicy: "network-only" }).toPromise();
    assert.deepEqual([error, data.instance.name], [undefined, "Instance"]);
  }
  for (const [query, code] of [[gql`{ customer(id: "none") { id } }`, "NOT_FOUND"], [gql`{ organisation { id } }`, "GRAPHQL_VALIDATION_FAILED"]]) {
    const { error } = await clients.WebSocket.query(query, {}).toPromise();
    assert.equal(error.graphQLErrors[0].extensions.code, code);
  }
}

async function mutations() {
  // a query with the mutation's type in it is asked again
  const watched = new Promise((resolve) => {
    clients.WebSocket.query(INSTANCE, { id: instance }).subscribe(({ data }) => data?.instance.description === "by urql" && resolve());
  });
  const UPDATE = gql`mutation ($input: UpdateInstanceInput!) { updateInstance(input: $input) { instance { id description } errors { field messages } } }`;
  const { data, error } = await clients.WebSocket.mutation(UPDATE, { input: { id: instance, description: "by urql" } }).toPromise();
  assert.deepEqual([error, data.updateInstance.errors], [undefined, []]);
  await watched;
}

async function subscriptions() {
  for (const client of Object.values(clients)) {
    const hook = await gate();
    const id = await execution(hook.url);
    const types = [];
    await new Promise((resolve, reject) => {
      client.subscription(gql`subscription ($id: ID!) { executionProgress(executionId: $id) { type } }`, { id }).subscribe(({ data, error }) => {
        if (error) reject(error);
        types.push(data.executionProgress.type);
        if (types.at(-1) === "CLAIMED") hook.open();
        if (types.at(-1) === "FINISHED") resolve();
      });
    });
    hook.close();
    assert.equal(types.join(" "), "QUEUED CLAIMED STEP_FINISHED STEP_FINISHED FINISHED");
    const told = new Promise((resolve) => {
      client.subscription(gql`subscription ($id: ID!) { instanceChanged(id: $id) { id description } }`, { id: instance }).subscribe(({ data }) => data?.instanceChanged.description === "for urql" && resolve());
    });
    await describe("for urql");
    await told;
    await describe("no more");
  }
}

run(queries, mutations, subscriptions);
