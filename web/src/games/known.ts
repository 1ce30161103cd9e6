/** What Python knows of games, written by web/game_data.py. */
import data from "./known.json";

export interface Field {
  name: string;
  address: number;
  count: number;
  unit: string;
}

export interface Game {
  size: [number, number]; // height, width of its pictures
  state: number; // bytes of memory
  fields: Field[];
  buttons: string[]; // of the controller byte, from bit 7 down; empty = not known
}

export const GAMES: Record<string, Game | undefined> = data.games as unknown as Record<string, Game>;

/** Numbers that the JSON holds as base64 of little-endian int16. */
function numbers(text: string): Int16Array {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Int16Array(bytes.buffer);
}

/** x and y in the memory (y null: it stays), offset x and y, width, height, and 1 where y counts from below. */
export type MovingObject = [number, number | null, number, number, number, number, number];

export const ATARI = {
  size: data.atari.size as [number, number],
  state: data.atari.state,
  objects: data.atari.objects as unknown as Record<string, MovingObject[] | undefined>,
};

export const SMB = {
  look: numbers(data.smb.look),
  scenery: numbers(data.smb.scenery),
  guess: numbers(data.smb.guess),
  arrangements: numbers(data.smb.arrangements), // [4 backgrounds, 4 foregrounds, 48 columns, 13 rows]
  digits: numbers(data.smb.digits), // [digits, 256]
  digitPlaces: data.smb.digit_places as [number, number][], // column of tile row 3, address
  attribute: numbers(data.smb.attribute),
  globals: data.smb.globals as number[],
  chosen: data.smb.chosen as [number[], number[]],
  firstText: data.smb.first_text,
  unknown: data.smb.unknown,
};
