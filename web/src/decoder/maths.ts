/** Constant integer tables of the lossless coder, the same everywhere: made without binary floating point. */

const REACH = 3072; // logits run from -REACH to REACH - 1, in 1/256
const LARGEST = 2839; // logit of 65535/65536
const ONE = 1n << 160n;

export const RATE = Int32Array.from(
  [16, 26, 36, 47, 60, 75, 90, 110, 140, 180, 240, 320, 480, 720, 1100, 1600],
  (seen) => Math.floor((65536 * 10) / seen),
);
export const TRUST = Int32Array.of(0, 110, 150, 180, 200, 215, 225, 235, 240, 245, 250, 253, 256, 256, 256, 256);

/** exp(n / 256) in units of 1/ONE. */
function exponential(n: bigint): bigint {
  let sum = 0n, term = ONE;
  for (let k = 1n; term !== 0n; k++) {
    sum += term;
    term = (term * n) / (256n * k);
  }
  return sum;
}

/** 65536 / (1 + exp(-x / 256)) for x = -REACH .. REACH - 1, within 1 .. 65535. */
export function squashTable(): Uint16Array {
  const out = new Uint16Array(2 * REACH);
  const step = exponential(-1n);
  let value = exponential(BigInt(REACH)); // REACH / 256 = 12
  for (let i = 0; i < out.length; i++) {
    const rounded = Number((2n * 65536n * ONE + ONE + value) / (2n * (ONE + value)));
    out[i] = Math.min(Math.max(rounded, 1), 65535);
    value = (value * step) / ONE;
  }
  return out;
}

/** The smallest logit whose probability is at least p, within -LARGEST .. LARGEST. */
export function stretchTable(squash: Uint16Array): Int16Array {
  const out = new Int16Array(65536);
  let found = 0;
  for (let p = 0; p < out.length; p++) {
    while (found < squash.length && squash[found]! < p) found++;
    out[p] = Math.min(Math.max(found - REACH, -LARGEST), LARGEST);
  }
  return out;
}
