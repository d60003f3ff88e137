// What scripts print for the operator: short lines on standard output.

let saidAtMs = performance.now();

export function say(line = '') {
  saidAtMs = performance.now();
  process.stdout.write(`${line}\n`);
}

/** Says what `progress` gives whenever nothing was said for `silenceMs`. Returns what stops it. */
export function sayWhileSilent(progress, silenceMs = 8000) {
  const timer = setInterval(() => {
    if (performance.now() - saidAtMs >= silenceMs) say(progress());
  }, silenceMs / 8);
  timer.unref();
  return () => clearInterval(timer);
}

/** Ends the script with what went wrong. */
export function fail(error) {
  const expected = Number.isInteger(error?.exitCode);
  process.stderr.write(`\n${expected ? error.message : error.stack}\n`);
  process.exitCode = expected ? error.exitCode : 1;
}
