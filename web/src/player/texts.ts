/** All that is said to whoever watches, in English and Korean. */

const ENGLISH = {
  player: "Player of recorded sessions",
  screen: "Recorded picture",
  play: "Play",
  pause: "Pause",
  back: "One frame back",
  forward: "One frame forward",
  position: "Position",
  speed: "Speed",
  loop: "Loop",
  state: "Game state",
  buttons: "Buttons pressed",
  save: "Save this frame",
  episode: "Episode",
  frame: "frame",
  of: "of",
  loading: "Loading …",
  lost: "frames of this episode are lost",
  damaged: "Damaged",
  noMemory: "This recording has no memory.",
  unknownGame: "Nothing is known of this game's memory.",
};
export type Texts = typeof ENGLISH;

const KOREAN: Texts = {
  player: "기록된 세션 플레이어",
  screen: "기록된 화면",
  play: "재생",
  pause: "일시 정지",
  back: "한 프레임 뒤로",
  forward: "한 프레임 앞으로",
  position: "위치",
  speed: "속도",
  loop: "반복",
  state: "게임 상태",
  buttons: "누른 버튼",
  save: "이 프레임 저장",
  episode: "에피소드",
  frame: "프레임",
  of: "/",
  loading: "불러오는 중 …",
  lost: "프레임이 이 에피소드에서 유실되었습니다",
  damaged: "손상됨",
  noMemory: "이 기록에는 메모리가 없습니다.",
  unknownGame: "이 게임의 메모리에 대해 알려진 것이 없습니다.",
};

export function textsOf(language: string): Texts {
  return language.toLowerCase().startsWith("ko") ? KOREAN : ENGLISH;
}
