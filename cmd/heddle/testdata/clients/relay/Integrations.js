// A page of a Relay app: a list that grows, an element that is asked for again by its id, and all that changes it.
import { graphql } from "react-relay";

export const page = graphql`
  query IntegrationsQuery($first: Int!, $after: String, $name: String) {
    authenticatedUser { name role { name } }
    ...Integrations_list @arguments(first: $first, after: $after, name: $name)
  }
`;

export const list = graphql`
  fragment Integrations_list on Query @refetchable(queryName: "IntegrationsListQuery")
  @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" }, name: { type: "String" }) {
    integrations(first: $first, after: $after, name_Icontains: $name) @connection(key: "Integrations_integrations") {
      edges { node { id ...Integrations_item } }
    }
  }
`;

export const item = graphql`
  fragment Integrations_item on Integration @refetchable(queryName: "IntegrationsItemQuery")
  @argumentDefinitions(first: { type: "Int", defaultValue: 10 }, after: { type: "String" }) {
    name
    versionNumber
    versionSequence(first: $first, after: $after) @connection(key: "Integrations_versionSequence") {
      edges { node { versionNumber versionComment } }
    }
    flows { nodes { name trigger { action { key } } } }
  }
`;

export const anything = graphql`
  query IntegrationsAnythingQuery($id: ID!) {
    node(id: $id) {
      __typename
      ... on Customer { name instances(first: 10) { totalCount } }
      ... on InstanceExecutionResult { status stepResults { nodes { displayStepName hasError } } }
    }
  }
`;

export const update = graphql`
  mutation IntegrationsUpdateMutation($input: UpdateIntegrationInput!) {
    updateIntegration(input: $input) {
      integration { ...Integrations_item }
      errors { field messages }
    }
  }
`;

export const create = graphql`
  mutation IntegrationsCreateMutation($input: CreateIntegrationInput!, $connections: [ID!]!) {
    createIntegration(input: $input) {
      integration @appendNode(connections: $connections, edgeTypeName: "IntegrationEdge") { id ...Integrations_item }
      errors { field messages }
    }
  }
`;

export const changed = graphql`
  subscription IntegrationsChangedSubscription($id: ID!) {
    integrationChanged(id: $id) { ...Integrations_item }
  }
`;

export const progress = graphql`
  subscription IntegrationsProgressSubscription($id: ID!, $after: String) {
    executionProgress(executionId: $id, after: $after) {
      cursor
      type
      executionResult { status endedAt }
    }
  }
`;
