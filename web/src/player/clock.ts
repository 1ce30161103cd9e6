/** Which frame is due: time runs at the recording's rate times the speed, and stops while a frame is not there yet. */
export class Clock {
  private position = 0; // frames, with fractions
  private last = 0; // ms

  constructor(public rate = 60, public speed = 1) {}

  get frame(): number {
    return Math.floor(this.position);
  }

  moveTo(frame: number): void {
    this.position = frame;
  }

  /** Begin to run at time `now`, in ms. */
  start(now: number): void {
    this.last = now;
  }

  /** Go on to time `now`, but not beyond frame `most`; returns the frame that is due. */
  run(now: number, most: number): number {
    const passed = Math.min(Math.max(now - this.last, 0), 250); // a page in the background does not catch up
    this.last = now;
    this.position = Math.min(this.position + (passed / 1000) * this.rate * this.speed, most + 0.999);
    return this.frame;
  }
}
