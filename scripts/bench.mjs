// `npm run bench`, `npm run bench:breaker`, `npm run bench:routing`: builds what is to be measured, then runs the benchmark of that name in bench/
// with the options given.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const build = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], {
  cwd: root,
  stdio: 'inherit',
});
if (build.status !== 0) process.exit(build.status ?? 1);
const [name] = process.argv.splice(2, 1);
await import(`../dist/bench/${name}.js`);
