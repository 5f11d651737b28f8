//! JSON-RPC 2.0, the calling side: matches answers to requests and hands notifications on. It owns
//! no transport, and it refuses the other side's requests, because the page offers no methods.

const METHOD_NOT_FOUND = -32601;

/** The host's own answer that a request failed. */
export class RpcError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly data?: unknown,
  ) {
    super(message);
    this.name = "RpcError";
  }
}

/** No answer came in time, or the connection ended first. */
export class RpcUnanswered extends Error {
  constructor(
    readonly method: string,
    readonly why: "timeout" | "closed",
  ) {
    super(`${method}: ${why}`);
    this.name = "RpcUnanswered";
  }
}

/** What went wrong, for a person: the host's own words where it said any. */
export function errorText(error: unknown): string {
  if (error instanceof RpcError) {
    // Where a field is named, the words stand beside it and need not name it again.
    const field = isObject(error.data) ? error.data["field"] : undefined;
    const prefix = `${String(field)}: `;
    if (error.message.startsWith(prefix)) return error.message.slice(prefix.length);
    return typeof error.data === "string" ? `${error.message} (${error.data})` : error.message;
  }
  if (error instanceof RpcUnanswered) {
    return error.why === "timeout" ? "the host did not answer" : "there is no connection";
  }
  return error instanceof Error ? error.message : String(error);
}

interface Pending {
  method: string;
  resolve(result: unknown): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

type Json = Record<string, unknown>;

/** One conversation over one connection. */
export class RpcClient {
  #nextId = 1;
  #closed = false;
  readonly #pending = new Map<number, Pending>();

  constructor(
    private readonly send: (text: string) => void,
    private readonly onNotification: (method: string, params: unknown) => void,
  ) {}

  /** Asks, and settles with the result, an `RpcError` or an `RpcUnanswered`. */
  request(method: string, params: Json, timeoutMs: number): Promise<unknown> {
    if (this.#closed) return Promise.reject(new RpcUnanswered(method, "closed"));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new RpcUnanswered(method, "timeout"));
      }, timeoutMs);
      this.#pending.set(id, { method, resolve, reject, timer });
      this.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  /** Tells, without expecting an answer. */
  notify(method: string, params: Json): void {
    if (!this.#closed) this.send(JSON.stringify({ jsonrpc: "2.0", method, params }));
  }

  /** Takes in one text frame. Frames that are no JSON-RPC are dropped: the next may be fine. */
  receive(text: string): void {
    if (this.#closed) return;
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    for (const item of Array.isArray(message) ? message : [message]) this.#receiveOne(item);
  }

  /** Ends the conversation: what was asked and not answered fails now. */
  close(): void {
    this.#closed = true;
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(new RpcUnanswered(pending.method, "closed"));
    }
    this.#pending.clear();
  }

  #receiveOne(message: unknown): void {
    if (!isObject(message)) return;
    if (typeof message["method"] === "string") {
      if (message["id"] === undefined) this.onNotification(message["method"], message["params"]);
      else this.#refuse(message["id"]);
      return;
    }
    const id = message["id"];
    const pending = typeof id === "number" ? this.#pending.get(id) : undefined;
    if (!pending) return;
    this.#pending.delete(id as number);
    clearTimeout(pending.timer);
    const error = message["error"];
    if (isObject(error)) pending.reject(toRpcError(error));
    else pending.resolve(message["result"]);
  }

  #refuse(id: unknown): void {
    const error = { code: METHOD_NOT_FOUND, message: "the page offers no methods" };
    this.send(JSON.stringify({ jsonrpc: "2.0", id, error }));
  }
}

function toRpcError(error: Json): RpcError {
  const code = typeof error["code"] === "number" ? error["code"] : 0;
  const message = typeof error["message"] === "string" ? error["message"] : "no reason given";
  return new RpcError(code, message, error["data"]);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
