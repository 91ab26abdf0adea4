"use strict";

// Shows GraphiQL for the endpoint of this server.
const endpoint = location.host + "/api";
ReactDOM.render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({
      url: location.protocol + "//" + endpoint,
      subscriptionUrl: (location.protocol === "https:" ? "wss://" : "ws://") + endpoint,
    }),
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: true,
    inputValueDeprecation: true,
  }),
  document.getElementById("graphiql"),
);
