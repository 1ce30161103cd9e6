/** Atari 2600 games: what their memory says is drawn. The twin of `pieces` in hstmae/games/atari.py. */
import type { FrameScene, SceneMaker, SceneShape } from "../decoder/scene.js";
import { ATARI } from "./known.js";
import type { MovingObject } from "./known.js";

const PIECE = 8, UNSEEN = -1000;

export class AtariScene implements SceneMaker {
  readonly shape: SceneShape;
  private readonly tiles: Int16Array;
  private t = 0;

  constructor(private readonly objects: MovingObject[]) {
    const [rows, columns] = ATARI.size.map((side) => Math.ceil(side / PIECE)) as [number, number];
    const cells = objects.length ? rows * columns : 0;
    const sprites = objects.reduce((sum, object) => sum + across(object) * down(object), 0);
    this.shape = { layout: objects.length ? [rows, columns, PIECE] : [], cells, sprites, size: objects.length ? PIECE : 0 };
    this.tiles = Int16Array.from({ length: cells }, (_, place) => place);
  }

  next(ram: Uint8Array): FrameScene {
    const sprites: number[] = [];
    this.objects.forEach((object, k) => {
      const [atX, atY, left, top, , , up] = object;
      const x = ram[atX]! + left, height = atY === null ? 1 : ram[atY]!;
      const y = top + (atY === null ? 0 : up ? -height : height);
      for (let row = 0, n = 0; row < down(object); row++)
        for (let column = 0; column < across(object); column++, n++)
          sprites.push(x - 1 + PIECE * column, height ? y - 1 + PIECE * row : UNSEEN, 16 * k + n, 0);
    });
    // Of games of which nothing is known Python tells that the camera stands still.
    const hint = this.objects.length || !this.t++ ? 0 : 128;
    const corners = this.objects.length ? Int16Array.of(0, 0) : new Int16Array(0);
    return { tiles: this.tiles, corners, sprites: Int16Array.from(sprites), look: new Uint32Array(2), hint };
  }
}

const across = (object: MovingObject): number => Math.ceil((object[4] + 2) / PIECE);
const down = (object: MovingObject): number => Math.ceil((object[5] + 2) / PIECE);
