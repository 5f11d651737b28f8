//! The JSON-RPC client against a scripted wire.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { errorText, RpcClient, RpcError, RpcUnanswered } from "../src/rpc";

let sent: Record<string, unknown>[];
let notified: [string, unknown][];
let client: RpcClient;

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  notified = [];
  client = new RpcClient(
    (text) => sent.push(JSON.parse(text)),
    (method, params) => notified.push([method, params]),
  );
});
afterEach(() => {
  vi.useRealTimers();
});

test("answers reach their own requests in any order", async () => {
  const first = client.request("a", { x: 1 }, 1000);
  const second = client.request("b", {}, 1000);
  expect(sent[0]).toEqual({ jsonrpc: "2.0", id: 1, method: "a", params: { x: 1 } });
  client.receive(JSON.stringify({ jsonrpc: "2.0", id: sent[1]!["id"], result: "B" }));
  client.receive(JSON.stringify({ jsonrpc: "2.0", id: sent[0]!["id"], result: null }));
  expect(await second).toBe("B");
  expect(await first).toBeNull();
});

test("an error answer carries code, words and data", async () => {
  const asked = client.request("a", {}, 1000);
  const error = { code: -32000, message: "busy", data: "32 at once" };
  client.receive(JSON.stringify({ jsonrpc: "2.0", id: 1, error }));
  await expect(asked).rejects.toEqual(new RpcError(-32000, "busy", "32 at once"));
});

test("silence fails a request, and an answer that comes later is ignored", async () => {
  const asked = client.request("a", {}, 1000);
  const failed = expect(asked).rejects.toEqual(new RpcUnanswered("a", "timeout"));
  vi.advanceTimersByTime(1000);
  await failed;
  client.receive(JSON.stringify({ jsonrpc: "2.0", id: 1, result: 1 }));
});

test("closing fails what is open, and what is asked afterwards", async () => {
  const asked = client.request("a", {}, 1000);
  client.close();
  await expect(asked).rejects.toMatchObject({ why: "closed" });
  await expect(client.request("b", {}, 1000)).rejects.toMatchObject({ why: "closed" });
  expect(sent).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("notifications come through, single and in batches", () => {
  client.receive(JSON.stringify({ jsonrpc: "2.0", method: "x", params: { n: 1 } }));
  client.receive(JSON.stringify([{ method: "y" }, { method: "z", params: [] }]));
  expect(notified).toEqual([
    ["x", { n: 1 }],
    ["y", undefined],
    ["z", []],
  ]);
});

test("garbage changes nothing", async () => {
  const asked = client.request("a", {}, 1000);
  for (const text of ["", "{", "null", "3", '"id"', "[[]]", '{"id":"1","result":0}', '{"id":99}']) {
    client.receive(text);
  }
  expect(notified).toEqual([]);
  client.receive('{"jsonrpc":"2.0","id":1,"result":"still here"}');
  expect(await asked).toBe("still here");
});

test("the other side's requests are refused, since the page offers no methods", () => {
  client.receive('{"jsonrpc":"2.0","id":"q","method":"do.it"}');
  expect(sent).toMatchObject([{ id: "q", error: { code: -32601 } }]);
  expect(notified).toEqual([]);
});

test("what went wrong is said in the host's words, without the field that they stand at", () => {
  expect(errorText(new RpcError(-32602, "fps: too many", { field: "fps" }))).toBe("too many");
  expect(errorText(new RpcError(-32603, "it failed", "no device"))).toBe("it failed (no device)");
  expect(errorText(new RpcError(-32000, "busy", { n: 1 }))).toBe("busy");
  expect(errorText(new RpcUnanswered("a", "closed"))).toBe("there is no connection");
});
