// The shell for pages: `npx extreg …` in it, which runs in this process or, with EXTREG_TEST_DEEP=1, as a program.
import test from 'ava';
import { Shell } from './shell.js';

test('shell: what one command sets or starts is there for the next', async (t) => {
  const shell = new Shell(t, { files: new Map([['a.txt', 'a\n']]) });
  t.is(await shell.run('x=1; cd .; f() { echo "f $1"; }'), '');
  t.is(await shell.run('f $x; cat a.txt'), 'f 1\na');
  t.is(await shell.run('echo out; echo err >&2; false'), 'out\nerr');
});

test('shell: npx extreg has the words, environment, directory, streams and exit code of where it stands', async (t) => {
  const files = new Map([['extreg.config.yaml', 'extension_registry: {minimum_volume: 7}\n']]);
  const shell = new Shell(t, { files });
  const volume = (prefix = '') =>
    shell.run(`${prefix} npx extreg check-config --print | grep -o '^minimum_volume *[0-9]*'`);
  t.regex(await volume(), /^minimum_volume +7$/);
  t.regex(await volume('EXTENSION_REGISTRY_MINIMUM_VOLUME=8'), /^minimum_volume +8$/);
  t.is(await shell.run('EXTENSION_REGISTRY_MINIMUM_VOLUME=9'), '');
  t.regex(await volume(), /^minimum_volume +7$/, 'not exported');
  t.is(await shell.run('export EXTENSION_REGISTRY_MINIMUM_VOLUME'), '');
  t.regex(await volume(), /^minimum_volume +9$/);
  t.is(await shell.run('mkdir b && cd b && npx extreg check-config --print | grep -c extreg.config.yaml; cd ..'), '0');

  t.is(
    await shell.run(`npx extreg invoke 'a  b' "it's"; echo $?`),
    "extreg: id: expected one subject token without blanks, dots, * and >, got 'a  b'\nnext: extreg invoke --help has examples\n64",
  );
  t.is(
    await shell.run('npx extreg nonsense 2> err; cat err'),
    "error: unknown command 'nonsense'\n(--help tells more)",
  );
  t.is(await shell.run('npx extreg check-config > out; echo and >> out; cat out'), 'the configuration is valid\nand');
  t.is(await shell.run('set -o pipefail; npx extreg --help | true; echo $?; set +o pipefail'), '0');
  t.is(
    await shell.run(
      `echo 'format: 2' | npx extreg import - --database-url postgres://127.0.0.1:1/x 2>&1 | head -n 2 | tail -n 1`,
    ),
    '  format must be 1, got 2',
  );
  t.is(
    await shell.run('(npx extreg check-config & npx extreg check-config; wait) | sort | uniq -c | tr -s " "'),
    ' 2 the configuration is valid',
  );
  t.is(await shell.run('npx something else; echo $?').then((printed) => printed.slice(-2)), '64');
});
