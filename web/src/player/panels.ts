/** What is shown over and under the picture: fields of the game's memory, and the buttons pressed. */
import { GAMES } from "../games/known.js";
import type { FrameMessage } from "./messages.js";
import type { Texts } from "./texts.js";

const BITS = ["7", "6", "5", "4", "3", "2", "1", "0"];

export function element<K extends keyof HTMLElementTagNameMap>(tag: K, className = "", text = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** A table of the fields; what changed since the frame shown before is marked. */
export class StatePanel {
  readonly root = element("div", "state");
  private rows: { row: HTMLTableRowElement; value: HTMLTableCellElement; address: number; count: number; signed: boolean }[] = [];
  private game: string | null = null;

  constructor(private readonly texts: Texts) {
    this.root.setAttribute("role", "region");
    this.root.setAttribute("aria-label", texts.state);
    this.root.tabIndex = 0;
  }

  show(game: string, memory: Uint8Array | null): void {
    const fields = memory ? GAMES[game]?.fields : undefined;
    if (!memory || !fields) {
      this.game = null;
      this.root.textContent = memory ? this.texts.unknownGame : this.texts.noMemory;
      return;
    }
    if (game !== this.game) this.lay(game, fields);
    for (const { row, value, address, count, signed } of this.rows) {
      const bytes = memory.subarray(address, address + count);
      const text = Array.from(bytes, (byte) => (signed ? (byte << 24) >> 24 : byte)).join(" ");
      row.className = text !== value.textContent && value.textContent ? "changed" : "";
      value.textContent = text;
    }
  }

  private lay(game: string, fields: { name: string; address: number; count: number; unit: string }[]): void {
    this.game = game;
    const table = element("table");
    this.rows = fields.map(({ name, address, count, unit }) => {
      const row = table.insertRow();
      const head = element("th", "", name.replaceAll("_", " "));
      head.scope = "row";
      row.title = `0x${address.toString(16)}: ${unit}`;
      row.append(head);
      return { row, value: row.insertCell(), address, count, signed: unit.includes("signed") };
    });
    this.root.replaceChildren(table);
  }
}

/** The controller, button by button; bits by number where the game's are not known. */
export class ButtonPanel {
  readonly root = element("div", "pad");
  private shown: HTMLSpanElement[] = [];
  private names: string[] = [];

  constructor(texts: Texts) {
    this.root.setAttribute("role", "img");
    this.root.dataset.label = texts.buttons;
  }

  show(game: string, buttons: Uint8Array | null): void {
    const known = GAMES[game]?.buttons;
    const names = known?.length ? known : BITS;
    if (names !== this.names) {
      this.names = names;
      this.shown = names.map((name) => element("span", "", name));
      this.root.replaceChildren(...this.shown);
    }
    const byte = buttons?.[0] ?? 0;
    const down = this.shown.filter((span, i) => {
      const pressed = ((byte >> (7 - i)) & 1) === 1;
      span.className = pressed ? "down" : "";
      return pressed;
    });
    this.root.setAttribute("aria-label", `${this.root.dataset.label}: ${down.map((span) => span.textContent).join(", ") || "–"}`);
  }
}

/** Save a canvas as a PNG file. */
export function savePicture(canvas: HTMLCanvasElement, frame: FrameMessage, name: string): void {
  canvas.toBlob((blob) => {
    if (!blob) return;
    const link = element("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${name}_f${String(frame.number).padStart(6, "0")}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, "image/png");
}
