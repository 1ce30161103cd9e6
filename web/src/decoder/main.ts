/** What other programs use: `import { HstReader, MemorySource, Native, Shelf } from "./hst-decoder.js"`. */
export { HstError } from "./errors.js";
export { Blake, Native } from "./native.js";
export { MemorySource, openUrl } from "./source.js";
export { HstReader } from "./reader.js";
export { Shelf } from "./shelf.js";
export { StreamDecoder } from "./stream.js";
export { GAMES } from "../games/known.js";
export { sceneMaker } from "./scene.js";
export { squashTable, stretchTable } from "./maths.js";
export { ownSha256 } from "./sha256.js";
export { SmbScene } from "../games/smb.js";
