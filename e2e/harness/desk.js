//! The host's front door without a browser: logs in, and talks JSON-RPC over a WebSocket. It has no
//! session, so the host does not count it as a viewer.

import { WebSocket } from "ws";
import { until, within } from "./limits.js";

/** Follows a login link; returns the cookie to show, as a header. */
export async function login(link) {
  const reply = await fetch(link, { redirect: "manual" });
  const cookie = reply.headers.get("set-cookie");
  if (!cookie) throw new Error(`no login from ${link}: ${reply.status} ${await reply.text()}`);
  return { cookie: cookie.split(";")[0] };
}

/** Opens a WebSocket to the host; fails with the HTTP status where it is refused. */
export function connect(origin, { headers = {}, from = origin } = {}) {
  const url = `${origin.replace(/^http/, "ws")}/api/ws`;
  const options = { headers, ...(from && { origin: from }), rejectUnauthorized: false };
  const socket = new WebSocket(url, options);
  const opened = new Promise((resolve, reject) => {
    socket.on("open", () => resolve(socket));
    socket.on("unexpected-response", (_, { statusCode }) => {
      reject(Object.assign(new Error(`HTTP ${statusCode}`), { status: statusCode }));
    });
    socket.on("error", reject);
  });
  return within(opened, "a WebSocket");
}

/** A JSON-RPC conversation. */
export class Desk {
  /** Opens one; `headers` show a login where one is needed. */
  static async open(rig, origin, headers) {
    const desk = new Desk(await connect(origin, { headers }));
    rig.atEnd(() => desk.socket.terminate());
    return desk;
  }

  /** What the host said last about itself. */
  host = {};
  /** Everything that it told by itself, in order: {method, params}. */
  told = [];
  #asked = 0;
  #waiting = new Map();

  constructor(socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    socket.on("message", (data) => {
      const { id, method, params, ...answer } = JSON.parse(data.toString());
      if (method === "hostState") this.host = params;
      if (method) this.told.push({ method, params });
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
  }

  /** Sends bytes as they are, and returns the answer that has this id. */
  send(data, id = null) {
    const answered = new Promise((resolve) => this.#waiting.set(id, resolve));
    this.socket.send(data);
    return within(answered, `an answer to ${String(data).slice(0, 100)}`);
  }

  /** Asks; the answer holds `result` or `error`. */
  ask(method, params = {}) {
    const id = ++this.#asked;
    return this.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }), id);
  }

  /** Says something that gets no answer. */
  notify(method, params = {}) {
    this.socket.send(JSON.stringify({ jsonrpc: "2.0", method, params }));
  }

  /** Waits until the host tells that by itself, with values that fit; returns the values. */
  async untilTold(method, fits = () => true) {
    const find = () => this.told.find((one) => one.method === method && fits(one.params));
    return (await until(`${method}`, find)).params;
  }

  async viewers() {
    return (await this.ask("getHostState")).result.viewers;
  }

  /** Waits until the host counts this many viewers. */
  async untilViewers(count, limitMs) {
    await until(`${count} viewers`, async () => (await this.viewers()) === count, limitMs);
  }
}
