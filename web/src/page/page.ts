/** The first page: plays the bundled session, a file of the visitor's, or one of the server's folder. */
import "../player/player.js";
import { at, korean, setLanguage } from "./words.js";

const ENGLISH = {
  title: "HST-MAE: recorded sessions",
  about: "This session is decoded in your browser, pixel by pixel as it was recorded: {size} for {frames} frames with the game's memory and the buttons.",
  own: "Play a .hst file of yours",
  ownHint: "It stays in your browser. Dropping it onto this page does the same.",
  files: "Sessions on this server",
  none: "There is no .hst file in the folder.",
  bundled: "Bundled session",
  keys: "Keys: space plays, ← → step, j l one second, Home End, < > speed, r loop, s state, b buttons, p saves the frame. On a touch screen: tap, or drag sideways.",
  failed: "The list of sessions cannot be loaded",
  restore: "Restore a picture or film",
  language: "한국어",
};
type Words = typeof ENGLISH;
const KOREAN: Words = {
  title: "HST-MAE: 기록된 세션",
  about: "이 세션은 브라우저에서 기록된 그대로 픽셀 단위로 복원됩니다: 게임 메모리와 버튼을 포함한 {frames}개 프레임이 {size}입니다.",
  own: "내 .hst 파일 재생",
  ownHint: "파일은 브라우저 밖으로 나가지 않습니다. 이 페이지에 끌어다 놓아도 됩니다.",
  files: "이 서버의 세션",
  none: "폴더에 .hst 파일이 없습니다.",
  bundled: "기본 제공 세션",
  keys: "키: 스페이스 재생, ← → 한 프레임, j l 1초, Home End, < > 속도, r 반복, s 상태, b 버튼, p 프레임 저장. 터치: 누르면 재생, 옆으로 끌면 이동.",
  failed: "세션 목록을 불러올 수 없습니다",
  restore: "그림이나 동영상 복원",
  language: "English",
};

const words = korean ? KOREAN : ENGLISH;
setLanguage(words.title, words.language);
for (const id of ["title", "own", "ownHint", "files", "keys"] as const) at(id).textContent = words[id];
at("bundled").textContent = words.bundled;
at("restore").textContent = words.restore;
at<HTMLAnchorElement>("restore").href = `restore.html?lang=${korean ? "ko" : "en"}`;

const player = document.createElement("hst-player");
for (const name of ["autoplay", "loop"]) player.setAttribute(name, "");
at("player").append(player);

function bytes(count: number): string {
  return count < 10_000 ? `${count.toLocaleString()} B` : count < 10_000_000 ? `${(count / 1000).toFixed(0)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

function play(src: string, name: string): void {
  at("playing").textContent = name;
  player.setAttribute("src", src);
  player.focus({ preventScroll: true });
}

let own = "";
function playFile(file: File | undefined): void {
  if (!file) return;
  URL.revokeObjectURL(own);
  own = URL.createObjectURL(file);
  play(own, file.name);
}

at<HTMLInputElement>("file").setAttribute("aria-label", words.own);
at<HTMLInputElement>("file").addEventListener("change", (event) => playFile((event.target as HTMLInputElement).files?.[0]));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  playFile(event.dataTransfer?.files[0]);
});

interface Listed {
  bundled: { url: string; bytes: number; frames: number };
  files: { name: string; url: string; bytes: number }[] | null; // null: no folder is shown
  left_out: number;
  restores: boolean;
}

function button(text: string, press: () => void): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", press);
  return made;
}

async function list(): Promise<void> {
  const response = await fetch("sessions.json");
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  const { bundled, files, restores } = (await response.json()) as Listed;
  at("about").textContent = words.about.replace("{size}", bytes(bundled.bytes)).replace("{frames}", String(bundled.frames));
  at("bundled").addEventListener("click", () => play(bundled.url, words.bundled));
  at("restore").hidden = !restores;
  at("folder").hidden = files === null;
  at("sessions").replaceChildren(
    ...(files ?? []).map(({ name, url, bytes: size }) => {
      const item = document.createElement("li");
      item.append(button(name, () => play(url, name)), ` ${bytes(size)}`);
      return item;
    }),
  );
  if (files && !files.length) at("sessions").textContent = words.none;
}

play("sample_session.hst", words.bundled);
list().catch((error: Error) => (at("about").textContent = `${words.failed}: ${error.message}`));
