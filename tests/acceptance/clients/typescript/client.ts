// Calls every route of the daemon by the types that openapi-typescript made of its OpenAPI document. It compiles only if
// paths, parameters and answers are what the document says, and prints the status of each call as JSON.

import createClient from "openapi-fetch";
import type { paths } from "./generated.js";

const [baseUrl, key] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { "X-API-KEY": key } });
const statuses: Record<string, number> = {};

async function call(name: string, work: Promise<{ response: Response }>): Promise<void> {
  statuses[name] = (await work).response.status;
}

const mail = { emails: ["a@example.com"], subject: "s", content: "<p>c</p>", topic_id: "t" };
const created = await client.POST("/v1/messages", { body: { messages: [mail] } });
statuses["POST /v1/messages"] = created.response.status;
const uuid: string = created.data!.ids[0]!;
const topic = { params: { path: { topic_id: "t" } } };
const letter = { params: { path: { sequence: 1 } } };
const address = { params: { path: { address: "b@example.com" } } };
const token = { params: { path: { token: "x" } } };

await call("GET /v1/messages/{uuid}", client.GET("/v1/messages/{uuid}", { params: { path: { uuid } } }));
await call("GET /v1/messages", client.GET("/v1/messages", { params: { query: { email: "a@example.com", limit: 1 } } }));
const listed = { params: { query: { topic_id: "t" } }, parseAs: "text" } as const;
await call("GET /v1/messages.csv", client.GET("/v1/messages.csv", listed));
await call("GET /v1/messages.ndjson", client.GET("/v1/messages.ndjson", listed));
const shown = await client.GET("/v1/topics/{topic_id}", topic);
statuses["GET /v1/topics/{topic_id}"] = shown.response.status;
const counts = shown.data!.request_counts;
const total: number = counts.Created + counts.Processed + counts.Sent;
await call("GET /v1/topics", client.GET("/v1/topics"));
await call("DELETE /v1/topics/{topic_id}", client.DELETE("/v1/topics/{topic_id}", topic));
await call("GET /v1/events/counts/sent", client.GET("/v1/events/counts/sent", { params: { query: { hours: 1 } } }));
await call("GET /v1/results/sent", client.GET("/v1/results/sent"));
await call("GET /v1/results/count/{plan_id}", client.GET("/v1/results/count/{plan_id}", { params: { path: { plan_id: "t" } } }));
await call("GET /v1/dead-letters", client.GET("/v1/dead-letters", { params: { query: { kind: "rejected" } } }));
await call("GET /v1/dead-letters/{sequence}", client.GET("/v1/dead-letters/{sequence}", letter));
await call("DELETE /v1/dead-letters/{sequence}", client.DELETE("/v1/dead-letters/{sequence}", letter));
await call("POST /v1/dead-letters/{sequence}/replay", client.POST("/v1/dead-letters/{sequence}/replay", letter));
await call("GET /v1/in-doubt", client.GET("/v1/in-doubt"));
const letters = { params: { query: { kind: "rejected" as const } } };
await call("POST /v1/dead-letters/replay", client.POST("/v1/dead-letters/replay", letters));
await call("POST /v1/dead-letters/remove", client.POST("/v1/dead-letters/remove", letters));
await call("GET /v1/messages/{uuid}/content", client.GET("/v1/messages/{uuid}/content", { params: { path: { uuid } } }));
await call(
  "GET /v1/messages/{uuid}/preview",
  client.GET("/v1/messages/{uuid}/preview", { params: { path: { uuid } }, parseAs: "text" }),
);
await call("GET /v1/find", client.GET("/v1/find", { params: { query: { text: "a@" } } }));
await call("GET /v1/reasons", client.GET("/v1/reasons"));
await call("GET /v1/waiting", client.GET("/v1/waiting"));
await call("GET /v1/domains", client.GET("/v1/domains"));
await call("GET /v1/stats", client.GET("/v1/stats"));
await call("GET /v1/ramps", client.GET("/v1/ramps"));
await call("GET /v1/tenants", client.GET("/v1/tenants"));
await call("GET /v1/reputation", client.GET("/v1/reputation"));
await call("GET /v1/holds", client.GET("/v1/holds"));
await call("POST /v1/holds", client.POST("/v1/holds", { body: { key: "topic:t", reason: "a test" } }));
await call("DELETE /v1/holds/{key}", client.DELETE("/v1/holds/{key}", { params: { path: { key: "topic:t" } } }));
await call("GET /v1/keys", client.GET("/v1/keys"));
await call("POST /v1/keys", client.POST("/v1/keys", { body: { name: "a key", scopes: ["read"] } }));
await call("DELETE /v1/keys/{id}", client.DELETE("/v1/keys/{id}", { params: { path: { id: "x" } } }));
await call("GET /v1/audit", client.GET("/v1/audit"));
await call("GET /v1/audit.csv", client.GET("/v1/audit.csv", { parseAs: "text" }));
await call("GET /v1/audit.ndjson", client.GET("/v1/audit.ndjson", { parseAs: "text" }));
await call("POST /v1/suppressions", client.POST("/v1/suppressions", { body: { address: "b@example.com" } }));
await call("GET /v1/suppressions", client.GET("/v1/suppressions", { params: { query: { reason: "manual" } } }));
await call("GET /v1/suppressions/{address}", client.GET("/v1/suppressions/{address}", address));
await call("DELETE /v1/suppressions/{address}", client.DELETE("/v1/suppressions/{address}", address));
await call("POST /v1/erasures", client.POST("/v1/erasures", { body: { address: "c@example.com" } }));
await call("POST /v1/link-secrets", client.POST("/v1/link-secrets", { body: { forget_old: false } }));
await call("DELETE /v1/link-secrets/old", client.DELETE("/v1/link-secrets/old"));
await call("GET /v1/unsubscribe/{token}", client.GET("/v1/unsubscribe/{token}", { ...token, parseAs: "text" }));
await call(
  "POST /v1/unsubscribe/{token}",
  client.POST("/v1/unsubscribe/{token}", { ...token, parseAs: "text", body: { "List-Unsubscribe": "One-Click" } }),
);
const event = {
  Type: "Notification",
  MessageId: "1",
  TopicArn: "arn:aws:sns:eu-west-1:111122223333:t",
  Message: "{}",
  Timestamp: "2026-01-01T00:00:00.000Z",
  SignatureVersion: "2",
  Signature: "",
  SigningCertURL: "",
};
await call("POST /v1/events/results", client.POST("/v1/events/results", { body: event }));
await call("POST /v1/events/result", client.POST("/v1/events/result", { body: event }));
await call("GET /v1/events/open", client.GET("/v1/events/open", { parseAs: "arrayBuffer" }));
await call("GET /v1/session", client.GET("/v1/session"));
await call("POST /v1/session", client.POST("/v1/session"));
await call("DELETE /v1/session", client.DELETE("/v1/session"));
await call("GET /health", client.GET("/health"));
await call("GET /ready", client.GET("/ready"));
await call("GET /metrics", client.GET("/metrics", { parseAs: "text" }));
await call("GET /", client.GET("/", { parseAs: "text" }));
await call("GET /assets/{path}", client.GET("/assets/{path}", { params: { path: { path: "app.js" } }, parseAs: "text" }));
await call("GET /openapi.json", client.GET("/openapi.json"));

console.log(JSON.stringify({ total, statuses }));
