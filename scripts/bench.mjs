// `npm run bench:wire`, `bench:hot-path`, `bench:breaker`, `bench:routing`, `bench:start`, `bench:health`, `bench:writes`, `bench:overload`, `bench:traces`, `bench:scale`, `bench:console`: builds what is to be measured, then
// runs the benchmark of that name in bench/ with the options given.
import { buildAll } from './build.mjs';
import { fail } from './say.mjs';
import { ROOT } from './setup.mjs';

const [name] = process.argv.splice(2, 1);
try {
  await buildAll(ROOT);
} catch (error) {
  fail(error);
  process.exit();
}
await import(`../dist/bench/${name}.js`);
