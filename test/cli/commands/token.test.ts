// `extreg token` where there is no database, and without a terminal. What it does in a database: test/daemon/access.test.ts.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { directory, run } from '../run.js';

for (const argv of [
  ['token', 'ls'],
  ['token', 'revoke', 'ada', '--reason', 'left', '--yes'],
])
  test(`extreg ${argv.slice(0, 2).join(' ')}: a mistyped --data-dir is an error, and makes no database`, async (t) => {
    const cwd = directory(t);
    const { code, stdout, stderr } = await run([...argv, '--data-dir', 'mistyped'], { cwd });
    t.deepEqual([code, stdout], [69, '']);
    t.regex(stderr, /^extreg: .*mistyped/);
    t.false(existsSync(join(cwd, 'mistyped')));
  });

test('CONFIRM-2: token revoke without --yes and without a terminal is 64, and opens nothing', async (t) => {
  const cwd = directory(t);
  const { code, stderr } = await run(['token', 'revoke', 'ada', '--reason', 'left'], { cwd });
  t.is(code, 64);
  t.regex(stderr, /^extreg: --yes: expected, since no terminal can be asked: This ends the access of token ada/);
  t.false(existsSync(join(cwd, '.extreg')));
});
