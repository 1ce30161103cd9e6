/** What a .hst file says about an episode. As description.py reads it. */
import { MAX_FRAMES, MAX_GOP } from "./chunks.js";
import { HstError } from "./errors.js";
import type { Native } from "./native.js";

const MAX_SIDE = 8192, MAX_PIXELS = 2 ** 25, MAX_STATE = 2 ** 20, MAX_ACTIONS = 256, MAX_STREAMS = 16;
const MAX_TEXT = 2 ** 20;
export const MAX_DECODED = 256 * 2 ** 20; // bytes that one group may unpack to

// Part of the format: never to be changed.
const WORDS =
  '{"actions":0,"channels":3,"fps":30.0,"frames":-1,"game":"generic","gop":64,"height":240,"level":"","name":"","' +
    'notes":[["left_out",1],["repaired",1]],"outcome":"cut","outcome":"fail","outcome":"win","palette":"74747424188' +
    'c0000a844009c8c0074a80010a400007c0800402c00004400005000003c14183c5c000000000000000000bcbcbc0070ec2038ec8000f0b' +
    'c00bce40058d82800c84c0c88700000940000a800009038008088000000000000000000fcfcfc3cbcfc5c94fccc88fcf478fcfc74b4fc7' +
    '460fc9838f0bc3c80d0104cdc4858f89800e8d8787878000000000000fcfcfca8e4fcc4d4fcd4c8fcfcc4fcfcc4d8fcbcb0fcd8a8fce4a' +
    '0e0fca0a8f0bcb0fccc9cfcf0c4c4c4000000000000","problems":[],"profile":"neural","profile":"lossless","signature"' +
    ':"","source":"","split":"val_level","split":"train","split":"val","split":"","state":2048,"streams":["ACTN","P' +
    'ICT","STAT"],"tables":"smb","tables_sha256":"","width":256}{"actions":1,"channels":1,"fps":60.0988,"frames":-1' +
    ',"game":"smb","gop":64,"height":240,"level":"';
// Those of short descriptions, part of the format as well.
const SHORT_WORDS =
  '75757524188e0000aa45009e8e0075aa0010a600007d0800412c00004500005100003c14183c5d000000000000000000bebebe0071ef20' +
    '38ef8200f3be00bee70059db2800cb4d0c8a710000960000aa0000923800828a000000000000000000ffffff3cbeff5d96ffcf8afff779' +
    'ffff75b6ff7561ff9a38f3be3c82d3104ddf4959fb9a00ebdb797979000000000000ffffffaae7ffc7d7ffd7cbffffc7ffffc7dbffbeb2' +
    'ffdbaaffe7a2e3ffa2aaf3beb2ffcf9efff3c7c7c7000000000000' +
    WORDS +
    '"notes":[["alone",1],["left_out",1],["repaired",1000]],"pairing":{"agreed":{"-1":1.0,"0":10.0,"1":1.0},"by":"s' +
    'prites","lag":1,"tested":1}{"actions":1,"channels":1,"corner":[8,0],"fps":60.0988,"frames":-1,"game":"smb","go' +
    'p":1024,"height":240,"level":"1-1","name":"_abcd1234_e0_1-1_win","notes":[["repaired",1000]],"outcome":"win","' +
    'pairing":{"agreed":{"-1":0.0,"0":10.0,"1":0.0},"by":"scroll","lag":0,"tested":10},"palette":"74747424188c0000a' +
    '844009c8c0074a80010a400007c0800402c00004400005000003c14183c5c000000000000000000bcbcbc0070ec2038ec8000f0bc00bce' +
    '40058d82800c84c0c88700000940000a800009038008088000000000000000000fcfcfc3cbcfc5c94fccc88fcf478fcfc74b4fc7460fc9' +
    '838f0bc3c80d0104cdc4858f89800e8d8787878000000000000fcfcfca8e4fcc4d4fcd4c8fcfcc4fcfcc4d8fcbcb0fcd8a8fce4a0e0fca' +
    '0a8f0bcb0fccc9cfcf0c4c4c4000000000000","problems":[],"profile":"replay","source":"_abcd1234_e0_1-1_win","split' +
    '":"","state":2048,"streams":["ACTN","PICT","RPLY","STAT"],"tables":"smb-1 cynes-0.1.2 ","width":256}';
const ATARI_WORDS =
  '0000004a4a4a6f6f6f8e8e8eaaaaaac0c0c0d6d6d6ececec48480069690f86861da2a22abbbb35d2d240e8e84afcfc547c2c00904811a2' +
    '6221b47a30c3903dd2a44adfb755ecc860901c00a33915b55328c66c3ad5824ae39759f0aa67fcbc74940000a71a1ab83232c84848d65c' +
    '5ce46f6ff08080fc909084006497197aa8308fb846a2c659b3d46cc3e07cd2ec8ce050008468199a7d30ad9246c0a459d0b56ce0c57cee' +
    'd48cfc140090331aa34e32b56848c67f5cd5956fe3a980f0bc90fc000094181aa72d32b84248c8545cd6656fe47580f08490fc001c8818' +
    '3b9d2d57b04272c2548ad265a0e175b5ef84c8fc0030641850802d6d984288b054a0c565b7d975cceb84e0fc00403018624e2d8169429e' +
    '8254b89965d1ae75e7c284fcd40044001a661a32843248a0485cba5c6fd26f80e88090fc90143c00355f18527e2d6e9c4287b7549ed065' +
    'b4e775c8fc843038005059166d762b88923ea0ab4fb7c25fccd86ee0ec7c482c00694d14866a26a28638bb9f47d2b656e8cc63fce070' +
    SHORT_WORDS +
    '{"actions":1,"channels":1,"fps":60.0,"frames":-1,"game":"atari2600-","gop":192,"height":210,"level":"","name":' +
    '"ALE-","notes":[],"outcome":"cut","palette":"","problems":[],"profile":"lossless","signature":"","source":"","' +
    'split":"","state":128,"streams":["ACTN","PICT","STAT"],"tables":"neutral-3","tables_sha256":"99dd97c837808be64' +
    'a0c0d129ad1ef89d73a775ad11d0486c807985f8a86eae6","width":160}';
const ATARI_WORDS_4 =
  ATARI_WORDS +
  '"split":"train","split":"","state":128,"streams":["ACTN","PICT","STAT"],"tables":"neutral-4","tables_sha256":"' +
  '29a6a73fcd576151d49d986ccceaea8390ad160bb52f0807279e34bfdcfce477","width":160}';
// By the first byte of a short text: its words, and how many bytes of hashes stand before it (8 of the signature, which
// nothing here asks for, and 32 of tables_sha256).
const FORMS: Record<number, [string, number] | undefined> = { 1: [SHORT_WORDS, 40], 2: [ATARI_WORDS, 0], 3: [ATARI_WORDS_4, 0] };

export interface Description {
  name: string;
  gop: number; // frames in a group, at the most
  game: string;
  level: string;
  outcome: string;
  fps: number;
  height: number;
  width: number;
  channels: 1 | 3;
  palette: Uint8Array; // RGB of each index; empty for true colour
  state: number; // bytes per frame, 0 = none
  actions: number;
  profile: string;
  tables: string;
  tablesHash: string;
  streams: string[];
  frames: number; // in the complete episode; -1 while it is being written
  corner: [number, number]; // y and x of the pictures in the game's native one
}

/** Payload of an EPI chunk. Throws HstError where it makes no sense or is beyond a limit. */
export function unpackDescription(native: Native, payload: Uint8Array): Description {
  try {
    const [words, hashes] = FORMS[payload[0]!] ?? [WORDS, -1], short = hashes >= 0;
    const { data } = native.inflate(payload.subarray(hashes + 1), MAX_TEXT, new TextEncoder().encode(words), short);
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data)) as Record<string, unknown>;
    return checked(hashes > 0 ? { tables_sha256: hexOf(payload.subarray(9, 41)), ...value } : value);
  } catch (error) {
    throw new HstError(`senseless description of an episode (${(error as Error).message})`);
  }
}

function checked(value: Record<string, unknown>): Description {
  const text = (key: string, otherwise?: string): string => {
    const found = value[key] ?? otherwise;
    if (typeof found !== "string" || found.length > 2000) throw new Error(`${key} is no text, or too long`);
    return found;
  };
  const number = (key: string, low: number, high: number, otherwise?: number): number => {
    const found = value[key] ?? otherwise;
    if (typeof found !== "number" || !Number.isInteger(found) || found < low || found > high) throw new Error(`${key} is ${String(found)}`);
    return found;
  };
  const name = text("name");
  if (!name || name === ".." || name === "." || /[/\p{C}]|[^ \P{Z}]/u.test(name)) throw new Error(`name ${JSON.stringify(name)}`);
  const [height, width, channels] = [number("height", 1, MAX_SIDE), number("width", 1, MAX_SIDE), number("channels", 1, 3)];
  const palette = bytesOf(text("palette"));
  if (channels === 2 || height * width > MAX_PIXELS) throw new Error("impossible pictures");
  if (palette.length % 3 || palette.length > 768 || palette.length > 0 !== (channels === 1)) throw new Error("impossible palette");
  const fps = value.fps;
  if (typeof fps !== "number" || !(fps > 0 && fps <= 100_000)) throw new Error(`fps is ${String(fps)}`);
  const streams = value.streams;
  if (!Array.isArray(streams) || !streams.length || streams.length > MAX_STREAMS || new Set(streams).size !== streams.length) throw new Error("impossible streams");
  if (!streams.every((stream) => typeof stream === "string" && /^[A-Z0-9]{4}$/.test(stream))) throw new Error("impossible names of streams");
  const corner = value.corner ?? [0, 0];
  if (!Array.isArray(corner) || corner.length !== 2 || !corner.every((at) => Number.isInteger(at) && at >= 0 && at <= MAX_SIDE)) throw new Error("impossible corner");
  return {
    name,
    gop: number("gop", 1, MAX_GOP),
    game: text("game"),
    level: text("level", ""),
    outcome: text("outcome", "cut"),
    fps,
    height,
    width,
    channels: channels as 1 | 3,
    palette,
    state: number("state", 0, MAX_STATE),
    actions: number("actions", 0, MAX_ACTIONS),
    profile: text("profile"),
    tables: text("tables"),
    tablesHash: text("tables_sha256"),
    streams: streams as string[],
    frames: number("frames", -1, MAX_FRAMES, -1),
    corner: corner as [number, number],
  };
}

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function bytesOf(hex: string): Uint8Array {
  if (hex.length % 2 || !/^[0-9a-fA-F]*$/.test(hex)) throw new Error("palette is not hexadecimal");
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** What so many frames take unpacked, memory and buttons included. */
export function rawBytes(d: Description, frames: number): number {
  return frames * (d.height * d.width * d.channels + d.state + d.actions);
}
