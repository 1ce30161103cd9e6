/** What a game's memory says about its pictures, as the arrays that the kernel reads. As Scene in scene.py. */
import type { Description } from "./description.js";
import { AtariScene } from "../games/atari.js";
import { ATARI, GAMES } from "../games/known.js";
import { SmbScene } from "../games/smb.js";
import { NEUTRAL } from "./models.js";

/** Sizes of the arrays that one frame has its part of. */
export interface SceneShape {
  layout: number[]; // rows, columns, cell side of each tile layer
  cells: number;
  sprites: number;
  size: number; // pixels of a sprite's side
}

/** What is known of one frame; x and y are of the native picture. */
export interface FrameScene {
  tiles: Int16Array; // [cells]
  corners: Int16Array; // [layers, 2] x, y
  sprites: Int16Array; // [sprites, 4] x, y, tile, attribute
  look: Uint32Array; // [2]
  hint: number;
}

export interface SceneMaker {
  readonly shape: SceneShape;
  /** The next frame's, from its memory. */
  next(memory: Uint8Array): FrameScene;
}

/** What reads the memory of an episode's groups; null where it tells nothing. `sure` = Python reads it in the same way. */
export function sceneMaker(d: Description): { make: (() => SceneMaker) | null; sure: boolean } {
  const game = GAMES[d.game], objects = ATARI.objects[d.game];
  if (!d.state || d.channels === 3 || d.game === "generic") return { make: null, sure: true };
  // Tables of before were used without a word of objects.
  if (objects) return { make: told(d, ATARI) ? () => new AtariScene(d.tables === NEUTRAL[4] ? objects : []) : null, sure: true };
  if (!game || d.game !== "smb") return { make: null, sure: false };
  return { make: told(d, game) ? () => new SmbScene() : null, sure: true };
}

/** Whether the memory is that of a game, and speaks of these pixels. */
function told(d: Description, game: { size: [number, number]; state: number }): boolean {
  const [height, width] = game.size;
  const cutOff = (d.corner[0] !== 0 || d.corner[1] !== 0) && d.corner[0] + d.height <= height;
  return d.state === game.state && ((d.height === height && d.width === width) || cutOff);
}
