/**
 * Super Mario Bros.: what its memory says is drawn. The twin of hstmae/games/smb (layers.py, history.py, scenery.py),
 * whose tables it uses; tests compare both on recorded and on random memory.
 */
import type { FrameScene, SceneMaker, SceneShape } from "../decoder/scene.js";
import { SMB } from "./known.js";

const ROWS = 13, COLUMNS = 32, SCREEN = 17, PERIOD = 48;
const NOT_DRAWN = 255;
const COMPLETE = new Set([7, 6, 5, 3, 2, 1]); // steps of drawing at which a column is whole
const BRIDGE = 0x63, RAILING = 0x0b, TREE_TOP = 0x17, TRUNK = 0x4c;
const HUD_HEIGHT = 32, TEXT_COLUMNS = 32, TEXT = 4 * TEXT_COLUMNS, TILES = ROWS * SCREEN;

export class SmbScene implements SceneMaker {
  readonly shape: SceneShape = { layout: [ROWS, SCREEN, 16, 4, TEXT_COLUMNS, 8], cells: TILES + TEXT, sprites: 64, size: 8 };
  private readonly drawn = new Uint8Array(ROWS * COLUMNS).fill(NOT_DRAWN); // level columns, by number modulo 32
  private before: { area: number; kind: number; camera: number } | null = null;

  next(ram: Uint8Array): FrameScene {
    const camera = 256 * ram[0x71a]! + ram[0x71c]!;
    const now = { area: ram[0x750]!, kind: ram[0x74e]!, camera };
    this.remember(ram, this.before !== null && (now.area !== this.before.area || now.kind !== this.before.kind));
    const moved = this.before ? camera - this.before.camera : 0;
    const hint = this.before ? Math.min(Math.max(moved, -100), 100) + 128 : 0;
    this.before = now;
    const tiles = new Int16Array(TILES + TEXT);
    this.metatiles(ram, Math.floor(camera / 16), tiles);
    statusBar(ram, tiles.subarray(TILES));
    return { tiles, corners: Int16Array.of(-(camera % 16), HUD_HEIGHT, 0, 0), sprites: sprites(ram), look: looks(ram), hint };
  }

  private remember(ram: Uint8Array, reset: boolean): void {
    if (reset) this.drawn.fill(NOT_DRAWN);
    if (!COMPLETE.has(ram[0x71f]!)) return;
    const column = (16 * ram[0x725]! + ram[0x726]!) % COLUMNS;
    for (let row = 0; row < ROWS; row++) this.drawn[row * COLUMNS + column] = ram[0x6a1 + row]!;
  }

  private metatiles(ram: Uint8Array, first: number, out: Int16Array): void {
    const arrangement = ((ram[0x742]! & 3) * 4 + (ram[0x741]! & 3)) * PERIOD * ROWS;
    for (let c = 0; c < SCREEN; c++) {
      const column = (first + c) % COLUMNS;
      const block = 0x500 + (column >> 4) * (16 * ROWS) + (column & 15);
      const likely = arrangement + ((first + c) % PERIOD) * ROWS;
      let underTree = false;
      for (let row = 0; row < ROWS; row++) {
        const solid = ram[block + 16 * row]!;
        let id = solid ? SMB.look[solid]! : SMB.scenery[this.drawn[row * COLUMNS + column]!]!;
        if (id === SMB.unknown) {
          let guess = SMB.arrangements[likely + row]!;
          if (row < ROWS - 1 && ram[block + 16 * (row + 1)] === BRIDGE) guess = RAILING;
          if (underTree) guess = TRUNK;
          id = SMB.guess[guess]!;
        }
        out[row * SCREEN + c] = id;
        underTree = solid === TREE_TOP || (underTree && solid === 0);
      }
    }
  }
}

function statusBar(ram: Uint8Array, out: Int16Array): void {
  for (let i = 0; i < TEXT; i++) out[i] = SMB.firstText + i;
  SMB.digitPlaces.forEach(([column, address], k) => (out[3 * TEXT_COLUMNS + column] = SMB.digits[256 * k + ram[address]!]!));
}

function sprites(ram: Uint8Array): Int16Array {
  const out = new Int16Array(64 * 4);
  for (let i = 0; i < 256; i += 4) {
    out[i] = ram[0x203 + i]!;
    out[i + 1] = ram[0x200 + i]! + 1; // the byte holds the line before the first
    out[i + 2] = ram[0x201 + i]!;
    out[i + 3] = SMB.attribute[ram[0x202 + i]!]!;
  }
  return out;
}

function looks(ram: Uint8Array): Uint32Array {
  const values = SMB.globals.map((address) => ram[address]!);
  const star = values.length - 2;
  values[star] = Number(values[star]! > 0) + Number(values[star]! > 8);
  values[star + 1]! &= 7;
  return Uint32Array.from(SMB.chosen, (chosen) => chosen.reduce((hash, i) => (Math.imul(hash, 0x01000193) + values[i]! + 1) | 0, 0));
}
