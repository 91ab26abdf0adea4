// What Apollo Client does with the server, set up as its documentation does it.
const assert = require("node:assert/strict");
const { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } = require("@apollo/client");
const { GraphQLWsLink } = require("@apollo/client/link/subscriptions");
const { OperationTypeNode } = require("graphql");
const { createClient } = require("graphql-ws");
const { api, ws, token, authorization, instance, describe, execution, gate, run } = require("./heddle");

const socket = createClient({ url: ws, webSocketImpl: require("ws"), connectionParams: { authToken: token } });
const client = new ApolloClient({
  cache: new InMemoryCache(),
  link: ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(socket),
    new HttpLink({ uri: api, headers: { authorization } }),
  ),
});
const INSTANCE = gql`query ($id: ID!) { instance(id: $id) { id name description } }`;

async function queries() {
  const { data } = await client.query({ query: gql`query ($first: Int) { customers(first: $first) { totalCount edges { cursor node { id name } } pageInfo { hasNextPage endCursor } } }`, variables: { first: 1 } });
  assert.deepEqual([data.customers.edges[0].node.__typename, data.customers.edges[0].node.name], ["Customer", "Customer"]);
  // from the cache, by type and id
  const seen = await client.query({ query: INSTANCE, variables: { id: instance } });
  assert.equal(seen.data.instance.name, "Instance");
  assert.equal(client.cache.extract()[`Instance:${instance}`].name, "Instance");
  const viaGet = new HttpLink({ uri: api, headers: { authorization }, useGETForQueries: true });
  const other = new ApolloClient({ cache: new InMemoryCache(), link: viaGet });
  assert.equal((await other.query({ query: INSTANCE, variables: { id: instance } })).data.instance.id, instance);
}

async function mutations() {
  const watched = client.watchQuery({ query: INSTANCE, variables: { id: instance } });
  const told = new Promise((resolve) => watched.subscribe(({ data }) => data?.instance?.description === "by Apollo" && resolve()));
  const UPDATE = gql`mutation ($input: UpdateInstanceInput!) { updateInstance(input: $input) { instance { id description } errors { field messages } } }`;
  const { data } = await client.mutate({ mutation: UPDATE, variables: { input: { id: instance, description: "by Apollo" } } });
  assert.deepEqual(data.updateInstance.errors, []);
  await told;
}

// A draft and a version have flows of their own in the cache, and each is found again by its id.
async function versions() {
  const FLOWS = gql`{ integrations(allVersions: true) { nodes { id draftRevision flows { nodes { id part description } } } } }`;
  const [draft] = (await client.query({ query: FLOWS })).data.integrations.nodes;
  const change = { op: "SET", node: draft.flows.nodes[0].id, path: ["description"], value: '"by Apollo"' };
  const EDIT = gql`mutation ($input: EditDraftInput!) { editDraft(input: $input) { errors { field messages } } }`;
  const { data } = await client.mutate({ mutation: EDIT, variables: { input: { id: draft.id, expectedRevision: draft.draftRevision, changes: [change] } } });
  assert.deepEqual(data.editDraft.errors, []);
  await client.query({ query: FLOWS, fetchPolicy: "network-only" });
  const flows = client.readQuery({ query: FLOWS }).integrations.nodes.map(({ flows }) => flows.nodes[0]);
  assert.deepEqual(flows.map(({ description }) => description), ["by Apollo", null]);
  assert.equal(flows[0].part, flows[1].part);
  for (const { id, description } of flows) {
    const { data } = await client.query({ query: gql`query ($id: ID!) { node(id: $id) { id ... on IntegrationFlow { description } } }`, variables: { id }, fetchPolicy: "network-only" });
    assert.deepEqual([data.node.__typename, data.node.description], ["IntegrationFlow", description]);
  }
}

async function errors() {
  for (const [query, code] of [[gql`{ customer(id: "none") { id } }`, "NOT_FOUND"], [gql`{ organisation { id } }`, "GRAPHQL_VALIDATION_FAILED"]])
    await assert.rejects(client.query({ query }), (err) => CombinedGraphQLErrors.is(err) && err.errors[0].extensions.code === code);
}

async function subscriptions() {
  const hook = await gate();
  const id = await execution(hook.url);
  const types = [];
  await new Promise((resolve, reject) => {
    client.subscribe({ query: gql`subscription ($id: ID!) { executionProgress(executionId: $id) { type executionResult { id status } } }`, variables: { id } }).subscribe({
      next({ data, error }) {
        if (error) reject(error);
        types.push(data.executionProgress.type);
        if (types.at(-1) === "CLAIMED") hook.open();
      },
      error: reject,
      complete: resolve,
    });
  });
  hook.close();
  assert.equal(types.join(" "), "QUEUED CLAIMED STEP_FINISHED STEP_FINISHED FINISHED");
  // a state is written to the cache, and so reaches those who watch a query
  const changes = client.subscribe({ query: gql`subscription ($id: ID!) { instanceChanged(id: $id) { id description } }`, variables: { id: instance } }).subscribe(() => {});
  const watched = client.watchQuery({ query: INSTANCE, variables: { id: instance } });
  const told = new Promise((resolve) => watched.subscribe(({ data }) => data?.instance?.description === "for Apollo" && resolve()));
  await describe("for Apollo");
  await told;
  changes.unsubscribe();
}

run(queries, mutations, versions, errors, subscriptions);
