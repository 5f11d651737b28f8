//! A host that a test scripts: it stands in for the browser's socket and peer connection, and it
//! answers only what it is told to.

import type { Channel } from "../src/input/sender";
import type { Peer, PeerEvents } from "../src/peer";
import type { ViewerParts } from "../src/viewer";

type Message = { id?: number; method?: string; params?: Record<string, unknown> };

/** One socket that the page opened. */
export class ScriptedSocket {
  readonly OPEN = 1;
  readyState = 0;
  readonly sent: Message[] = [];
  closed = false;
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;

  constructor(private readonly host: ScriptedHost) {}

  send(text: string): void {
    const message = JSON.parse(text) as Message;
    this.sent.push(message);
    if (message.method !== "ping" || !this.host.answersPings) return;
    this.answer("ping", { result: { hostTimeUs: (performance.now() + this.host.aheadMs) * 1000 } });
  }

  close(): void {
    this.closed = true;
    this.readyState = 3;
  }

  /** The host accepts. */
  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  /** The host, or the network, ends it. */
  drop(): void {
    this.readyState = 3;
    this.onclose?.();
  }

  tell(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  /** The methods the page called or told, in order. */
  methods(): (string | undefined)[] {
    return this.sent.map(({ method }) => method);
  }

  /** Answers the page's last call of `method`. */
  answer(method: string, outcome: { result: unknown } | { error: unknown }): void {
    const asked = this.sent.findLast((message) => message.method === method);
    if (asked?.id === undefined) throw new Error(`the page never called ${method}`);
    this.tell({ jsonrpc: "2.0", id: asked.id, ...outcome });
  }
}

/** A data channel that keeps what is sent. */
export class ScriptedChannel implements Channel {
  readyState: RTCDataChannelState = "open";
  bufferedAmount = 0;
  readonly sent: number[][] = [];

  send(bytes: Uint8Array): void {
    this.sent.push([...bytes]);
  }

  /** The messages of one kind. */
  ofKind(kind: number): number[][] {
    return this.sent.filter(([first]) => first === kind);
  }
}

/** One peer connection that the page opened. */
export class ScriptedPeer implements Peer {
  readonly pc = { connectionState: "new" as RTCPeerConnectionState } as RTCPeerConnection;
  readonly track = {} as MediaStreamTrack;
  readonly sound = {} as MediaStreamTrack;
  readonly channels = { input: new ScriptedChannel(), motion: new ScriptedChannel() };
  accepted: string | undefined;
  closed = false;

  constructor(private readonly events: PeerEvents) {}

  offer(): Promise<string> {
    return Promise.resolve("the offer");
  }

  accept(answerSdp: string): Promise<void> {
    this.accepted = answerSdp;
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
  }

  openInput(): void {
    this.events.inputOpen();
  }

  become(state: RTCPeerConnectionState): void {
    (this.pc as { connectionState: RTCPeerConnectionState }).connectionState = state;
    this.events.state(state);
  }
}

/** Everything the page opened, and what the login check answers. */
export class ScriptedHost implements ViewerParts {
  readonly sockets: ScriptedSocket[] = [];
  readonly peers: ScriptedPeer[] = [];
  loginStatus: number | undefined = 204;
  answersPings = true;
  /** How far the host's clock is ahead of the page's. */
  aheadMs = 5000;
  /** What opening a peer connection throws, if it does. */
  peerFailure: Error | undefined;

  openSocket(): WebSocket {
    const socket = new ScriptedSocket(this);
    this.sockets.push(socket);
    return socket as unknown as WebSocket;
  }

  openPeer(events: PeerEvents): Peer {
    if (this.peerFailure) throw this.peerFailure;
    const peer = new ScriptedPeer(events);
    this.peers.push(peer);
    return peer;
  }

  probeLogin(): Promise<number | undefined> {
    return Promise.resolve(this.loginStatus);
  }

  get socket(): ScriptedSocket {
    return this.sockets.at(-1)!;
  }

  get peer(): ScriptedPeer {
    return this.peers.at(-1)!;
  }
}
