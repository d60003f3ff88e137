// What scripts tell a person: short lines on standard output.

export function say(line = '') {
  process.stdout.write(`${line}\n`);
}

/** Ends the script with what went wrong. */
export function fail(error) {
  const expected = Number.isInteger(error?.exitCode);
  process.stderr.write(`\n${expected ? error.message : error.stack}\n`);
  process.exitCode = expected ? error.exitCode : 1;
}
