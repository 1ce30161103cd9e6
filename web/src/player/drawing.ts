/** Puts pictures onto a canvas: by WebGL through a texture of the palette where there is, else by the 2D context. */

export interface Painter {
  readonly kind: "webgl" | "2d";
  /** pixels [height, width] with `palette` (RGB of each index), or [height, width, 3] with none. */
  draw(pixels: Uint8Array, palette: Uint8Array): void;
  /** A frame of video, which may be larger than the picture: its edge is left out. */
  show(video: VideoFrame): void;
}

const VERTEX = `attribute vec2 at; varying vec2 place;
void main() { place = vec2(at.x, 1.0 - at.y); gl_Position = vec4(at * 2.0 - 1.0, 0.0, 1.0); }`;
const FRAGMENT = `precision highp float; varying vec2 place; uniform sampler2D pixels, palette; uniform bool indexed;
void main() {
  vec4 found = texture2D(pixels, place);
  gl_FragColor = indexed ? texture2D(palette, vec2((found.r * 255.0 + 0.5) / 256.0, 0.5)) : vec4(found.rgb, 1.0);
}`;

/** 256 colours; pictures may name some that the palette has not, which are black. */
function colours(palette: Uint8Array): Uint8Array {
  const out = new Uint8Array(256 * 4);
  for (let i = 0; i < 256; i++) {
    out.set(palette.subarray(3 * i, 3 * i + 3), 4 * i);
    out[4 * i + 3] = 255;
  }
  return out;
}

/**
 * A painter of pictures of that size. `by`: "2d" or "webgl", whatever is better; "": WebGL where a graphics processor
 * does it, since in software it takes several times as long as the 2D context.
 */
export function painter(canvas: HTMLCanvasElement, width: number, height: number, by = ""): Painter {
  canvas.width = width;
  canvas.height = height;
  return (by === "2d" ? null : webgl(canvas, width, height, by !== "webgl")) ?? flat(canvas, width, height);
}

/** Some browsers do not tell by the option that asks for it. */
function inSoftware(gl: WebGLRenderingContext): boolean {
  const told = gl.getExtension("WEBGL_debug_renderer_info");
  const name: unknown = told ? gl.getParameter(told.UNMASKED_RENDERER_WEBGL) : "";
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(String(name));
}

function webgl(canvas: HTMLCanvasElement, width: number, height: number, fast: boolean): Painter | null {
  const options = { alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true, failIfMajorPerformanceCaveat: fast };
  const gl = canvas.getContext("webgl", options) as WebGLRenderingContext | null;
  if (!gl || Math.max(width, height) > (gl.getParameter(gl.MAX_TEXTURE_SIZE) as number) || (fast && inSoftware(gl))) return null;
  const program = gl.createProgram()!;
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.bindAttribLocation(program, 0, "at");
  gl.linkProgram(program);
  gl.useProgram(program);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, Float32Array.of(0, 0, 1, 0, 0, 1, 1, 1), gl.STATIC_DRAW);
  gl.enableVertexAttribArray(0);
  gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  ["pixels", "palette"].forEach((name, unit) => {
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    for (const size of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, size, gl.NEAREST);
    gl.uniform1i(gl.getUniformLocation(program, name), unit);
  });
  gl.viewport(0, 0, width, height);
  const indexed = gl.getUniformLocation(program, "indexed");
  let known: Uint8Array | null = null;
  return {
    kind: "webgl",
    draw(pixels, palette) {
      if (palette.length && palette !== known) {
        gl.activeTexture(gl.TEXTURE1);
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, colours(palette));
        known = palette;
      }
      const format = palette.length ? gl.LUMINANCE : gl.RGB;
      gl.activeTexture(gl.TEXTURE0);
      gl.texImage2D(gl.TEXTURE_2D, 0, format, width, height, 0, format, gl.UNSIGNED_BYTE, pixels);
      gl.uniform1i(indexed, palette.length ? 1 : 0);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    },
    show() {
      throw new Error("video is drawn by the 2D context");
    },
  };
}

function flat(canvas: HTMLCanvasElement, width: number, height: number): Painter {
  let target = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  if (!target) {
    // A canvas that was given to WebGL keeps to it.
    const other = canvas.cloneNode() as HTMLCanvasElement;
    canvas.replaceWith(other);
    target = other.getContext("2d", { alpha: false })!;
  }
  const image = target.createImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  let known: Uint8Array | null = null, table: Uint32Array = new Uint32Array(0);
  return {
    kind: "2d",
    draw(pixels, palette) {
      if (palette.length) {
        if (palette !== known) table = new Uint32Array(colours(palette).buffer);
        known = palette;
        for (let i = 0; i < words.length; i++) words[i] = table[pixels[i]!]!;
      } else {
        for (let i = 0, j = 0; i < words.length; i++, j += 3) words[i] = pixels[j]! | (pixels[j + 1]! << 8) | (pixels[j + 2]! << 16) | 0xff000000;
      }
      target.putImageData(image, 0, 0);
    },
    show(video) {
      target.drawImage(video, 0, 0, width, height, 0, 0, width, height);
    },
  };
}
