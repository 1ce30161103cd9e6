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
}

export type Order =
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
}

export type Answer =
  | { kind: "opened"; serial: number; episodes: EpisodeInfo[]; damaged: string[] }
  | FrameMessage
  /** Frames `first` to `last` cannot be shown; without them, the file cannot be played at all. */
  | { kind: "error"; serial: number; episode?: number; first?: number; last?: number; message: string };
