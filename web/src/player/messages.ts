/** What the player and its worker say to each other. */

export interface EpisodeInfo {
  name: string;
  game: string;
  level: string;
  outcome: string;
  fps: number;
  frames: number;
  lost: number;
  height: number;
  width: number;
  palette: Uint8Array; // RGB of each index; empty for true colour
  hasMemory: boolean;
  hasButtons: boolean;
  video?: boolean; // pictures come as frames of video
}

/** How a stream goes. */
export interface LiveStatus {
  connected: boolean;
  source: boolean; // whether somebody publishes
  kbit: number; // a second, of all messages
  decodeMs: number;
  waitMs: number; // between arrival and decoding
  jumps: number; // times that this was too slow and went on with the newest group
  missed: number; // frames that the server left out
  groups: number; // whose hash was right
  connections: number;
  why: string; // what is wrong; "" = nothing
  statistics: Record<string, number | string>; // the publisher's and the server's
}

export type Order =
  /** Watch the stream at this address. */
  | { kind: "watch"; serial: number; src: string; tables: string; kernel: string }
  | { kind: "open"; serial: number; src: string; tables: string; kernel: string }
  /** Frames that will be shown next, the most urgent first; others are decoded after them. */
  | { kind: "want"; serial: number; episode: number; frames: number[] };

export interface FrameMessage {
  kind: "frame";
  serial: number;
  episode: number;
  index: number;
  pixels: Uint8Array;
  number: number;
  memory: Uint8Array | null;
  buttons: Uint8Array | null;
  video?: VideoFrame; // instead of pixels
  captured?: number; // ms since 1970 by the publisher's clock, of a stream's
}

export type Answer =
  | { kind: "live"; serial: number; status: LiveStatus }
  /** The frames that follow are of this session. */
  | { kind: "session"; serial: number; episode: number; info: EpisodeInfo }
  | { kind: "opened"; serial: number; episodes: EpisodeInfo[]; damaged: string[] }
  | FrameMessage
  /** Frames `first` to `last` cannot be shown; without them, the file cannot be played at all. */
  | { kind: "error"; serial: number; episode?: number; first?: number; last?: number; message: string };
