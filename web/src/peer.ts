//! The browser's peer connection, set up to receive one video, and its sound, with as little delay as it can.
//! Everything a browser may lack is asked for and left out where it is missing.

import type { InputChannels } from "./input/sender";
import { readDeviceRequest, type DeviceRequest } from "./input/wire";
import type { Missing } from "./state";

/** Header extensions that carry the stream's timing and its frame dependencies. */
const WANTED_EXTENSIONS = [
  "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
  "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
  "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
];

/** This browser cannot show the stream at all. */
export class Unsupported extends Error {
  constructor(readonly missing: Missing) {
    super(`this browser has no ${missing}`);
    this.name = "Unsupported";
  }
}

/** What a peer connection tells while it lives. */
export interface PeerEvents {
  state(state: RTCPeerConnectionState): void;
  candidate(candidate: RTCIceCandidate): void;
  /** Input can leave now. */
  inputOpen(): void;
  device(request: DeviceRequest): void;
}

/** One peer connection, as the session needs it; tests put a scripted one in its place. */
export interface Peer {
  readonly pc: RTCPeerConnection;
  readonly track: MediaStreamTrack;
  /** Silent where the host has no sound. */
  readonly sound: MediaStreamTrack;
  readonly channels: InputChannels;
  /** The offer to send; it is applied here as well. */
  offer(): Promise<string>;
  accept(answerSdp: string): Promise<void>;
  close(): void;
}

/** Opens a peer connection, or throws `Unsupported`. */
export function openPeer(events: PeerEvents): Peer {
  if (typeof RTCPeerConnection === "undefined") throw new Unsupported("webrtc");
  const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs ?? [];
  if (codecs.length > 0 && !codecs.some(isH264)) throw new Unsupported("h264");

  const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const transceiver = pc.addTransceiver("video", { direction: "recvonly" });
  preferH264(transceiver, codecs);
  const sound = pc.addTransceiver("audio", { direction: "recvonly" });
  for (const one of [transceiver, sound]) {
    negotiateExtensions(one);
    playWithoutDelay(one.receiver);
  }
  const channels = openChannels(pc, events);

  pc.onconnectionstatechange = () => events.state(pc.connectionState);
  pc.onicecandidate = ({ candidate }) => {
    if (candidate?.candidate) events.candidate(candidate);
  };
  return {
    pc,
    track: transceiver.receiver.track,
    sound: sound.receiver.track,
    channels,
    async offer() {
      const { type, sdp = "" } = await pc.createOffer();
      const offer = inStereo(sdp);
      await pc.setLocalDescription({ type, sdp: offer });
      return offer;
    },
    accept: (sdp) => pc.setRemoteDescription({ type: "answer", sdp }),
    close() {
      pc.onconnectionstatechange = null;
      pc.onicecandidate = null;
      pc.close();
    },
  };
}

/** Before the offer: they are part of it. */
function openChannels(pc: RTCPeerConnection, events: PeerEvents): InputChannels {
  const input = pc.createDataChannel("input");
  const motion = pc.createDataChannel("motion", { ordered: false, maxRetransmits: 0 });
  input.binaryType = motion.binaryType = "arraybuffer";
  input.onopen = () => events.inputOpen();
  input.onmessage = ({ data }: MessageEvent) => {
    const request = readDeviceRequest(data);
    if (request) events.device(request);
  };
  return { input, motion };
}

/** Some browsers play what is sent in stereo on both sides alike unless they are told otherwise. */
export function inStereo(sdp: string): string {
  const opus = [...sdp.matchAll(/^a=rtpmap:(\d+) opus\/48000\/2/gim)].map(([, type]) => type);
  return sdp.replace(/^(a=fmtp:(\d+) )(.*)$/gm, (line, start: string, type: string, format: string) => {
    const isMeant = opus.includes(type) && !/(^|;)\s*stereo=/.test(format);
    return isMeant ? `${start}stereo=1;${format}` : line;
  });
}

function isH264({ mimeType }: RTCRtpCodec): boolean {
  return mimeType.toLowerCase() === "video/h264";
}

/** Only the order: the host may still choose another codec from the offer. */
function preferH264(transceiver: RTCRtpTransceiver, codecs: RTCRtpCodec[]): void {
  if (!transceiver.setCodecPreferences || codecs.length === 0) return;
  const inPackets = (codec: RTCRtpCodec) =>
    isH264(codec) && /packetization-mode=1/.test(codec.sdpFmtpLine ?? "");
  const rank = (codec: RTCRtpCodec) => (inPackets(codec) ? 0 : isH264(codec) ? 1 : 2);
  transceiver.setCodecPreferences([...codecs].sort((a, b) => rank(a) - rank(b)));
}

interface HeaderExtension {
  uri: string;
  direction: RTCRtpTransceiverDirection;
}

interface ExtensionNegotiation {
  getHeaderExtensionsToNegotiate?(): HeaderExtension[];
  setHeaderExtensionsToNegotiate?(extensions: HeaderExtension[]): void;
}

function negotiateExtensions(transceiver: RTCRtpTransceiver & ExtensionNegotiation): void {
  const offered = transceiver.getHeaderExtensionsToNegotiate?.();
  if (!offered || !transceiver.setHeaderExtensionsToNegotiate) return;
  for (const direction of ["sendrecv", "recvonly"] as const) {
    try {
      transceiver.setHeaderExtensionsToNegotiate(
        offered.map((extension) =>
          WANTED_EXTENSIONS.includes(extension.uri) ? { ...extension, direction } : extension,
        ),
      );
      return;
    } catch {
      // A browser may allow an extension in one of the two directions only.
    }
  }
}

interface DelayHints {
  jitterBufferTarget?: number | null;
  playoutDelayHint?: number | null;
}

function playWithoutDelay(receiver: RTCRtpReceiver & DelayHints): void {
  if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
  else if ("playoutDelayHint" in receiver) (receiver as DelayHints).playoutDelayHint = 0;
}
