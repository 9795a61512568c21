// Loaded before a process of the product: its wall clock goes by so many milliseconds as the file says that
// UNDERSTUDY_TEST_CLOCK names, from the moment that it says so. What is monotonic stays as it is.
import { readFileSync } from "node:fs";

const file = process.env.UNDERSTUDY_TEST_CLOCK;
const RealDate = Date;
const realNow = Date.now;
let stepMs = 0;
const look = () => {
  try {
    stepMs = Number(readFileSync(file, "utf8"));
  } catch {
    stepMs = 0;
  }
};
look();
setInterval(look, 100).unref();

class SteppedDate extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(realNow() + stepMs);
    else super(...given);
  }
  static now() {
    return realNow() + stepMs;
  }
}
globalThis.Date = SteppedDate;
