// Dockerfile and .dockerignore: what they name is there, and what they do, as far as it can be done without root and without Docker.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import test from 'ava';
import { envName, SETTING_KEYS, settingOf } from '../../src/config/schema.js';
import { run } from '../cli/run.js';
import { isDeep, ONLY_DEEP } from '../helpers/depth.js';
import { unless } from '../helpers/skip.js';
import { copyOf, readDockerfile, type Stage, textsOf } from './dockerfile.js';

const { stages } = readDockerfile();
const last = stages.at(-1) as Stage;
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  version: string;
  bin: Record<string, string>;
  engines: { node: string };
  files: string[];
};
const copies = stages.flatMap((stage) => textsOf(stage, 'COPY').map(copyOf));
const fromCheckout = copies.filter(({ from }) => from === null).flatMap(({ sources }) => sources);
const ignored = readFileSync('.dockerignore', 'utf8').split('\n');
const list = (text = ''): string[] => JSON.parse(text.slice(text.indexOf('['))) as string[];

test('Dockerfile: what it copies is there, and .dockerignore lets through that and nothing else', (t) => {
  t.true(fromCheckout.length > 10);
  t.deepEqual(
    fromCheckout.filter((path) => !existsSync(path)),
    [],
  );
  t.is(
    ignored.find((line) => line !== '' && !line.startsWith('#')),
    '*',
  );
  const let_through = ignored.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  t.deepEqual(let_through.sort(), [...fromCheckout].sort());
  // Of the package, what is no result of the build.
  for (const path of manifest.files.filter((one) => !one.startsWith('!') && !one.startsWith('dist')))
    t.true(fromCheckout.includes(path), path);
  const names = stages.map(({ name }) => name);
  for (const { from } of copies) t.true(from === null || names.includes(from), from ?? '');
});

test('Dockerfile: a Node that package.json accepts, a user that is not root, the port and command of the code', (t) => {
  const floor = Number(/^>=(\d+)/.exec(manifest.engines.node)?.[1]);
  for (const { image } of stages) t.true(Number(/^node:(\d+)-[a-z]+-slim$/.exec(image)?.[1]) > floor, image);
  t.deepEqual(textsOf(last, 'USER'), ['node']);
  t.deepEqual(textsOf(last, 'EXPOSE'), [String(settingOf('http_port').default)]);
  t.deepEqual(list(textsOf(last, 'ENTRYPOINT')[0]), Object.keys(manifest.bin));
  t.deepEqual(list(textsOf(last, 'CMD')[0]), ['serve']);
  const known = ['NODE_ENV', 'PATH', ...SETTING_KEYS.map(envName)];
  const names = textsOf(last, 'ENV').flatMap((text) => [...text.matchAll(/(\w+)=\S+/g)].map(([, name = '']) => name));
  t.true(names.length > 2);
  t.deepEqual(
    names.filter((name) => !known.includes(name)),
    [],
  );
  const [, dataDir] = /EXTENSION_REGISTRY_DATA_DIR=(\S+)/.exec(textsOf(last, 'ENV').join(' ')) ?? [];
  t.deepEqual(textsOf(last, 'VOLUME'), [dataDir]);
  t.true(textsOf(last, 'RUN').some((text) => text.endsWith(` ${dataDir}`)));
});

test('Dockerfile: its health check is a command that fails where no daemon answers', async (t) => {
  const [program, ...args] = list(textsOf(last, 'HEALTHCHECK')[0]);
  t.is(program, 'extreg');
  const directory = mkdtempSync(join(tmpdir(), 'extreg-nobody-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const env = { EXTENSION_REGISTRY_DATA_DIR: directory, EXTENSION_REGISTRY_HTTP_PORT: '1' };
  t.is((await run(args, { cwd: directory, env })).code, 69);
});

/** It gives a directory to another user, which needs root, and the user `node` of the image. */
const NEEDS_ROOT = /^install -d -o node /;

unless(isDeep ? null : ONLY_DEEP, test)(
  'Dockerfile: carried out in a tree of its own, it makes an extreg that knows its version',
  (t) => {
    t.timeout(600_000);
    const root = mkdtempSync(join(tmpdir(), 'extreg-image-'));
    t.teardown(() => rmSync(root, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
    const left: string[] = [];
    for (const [index, stage] of stages.entries()) {
      const own = join(root, stage.name ?? 'last');
      let directory = own;
      mkdirSync(own);
      const inside = (path: string): string => (path.startsWith('/') ? join(own, path) : join(directory, path));
      for (const { name, text } of stage.instructions)
        if (name === 'WORKDIR') {
          directory = join(own, text);
          mkdirSync(directory, { recursive: true });
        } else if (name === 'COPY') copy(copyOf(text), inside, (from) => join(root, from));
        else if (name === 'RUN' && NEEDS_ROOT.test(text)) left.push(text);
        else if (name === 'RUN') {
          const command = text.replace(/(?<=[\s=])\/(?=package|opt)/g, `${own}/`);
          const { status, stderr } = spawnSync('sh', ['-c', command], { cwd: directory, encoding: 'utf8' });
          t.is(status, 0, `stage ${index}: ${text}\n${stderr}`);
        }
    }
    t.is(left.length, 1);
    const [path = ''] =
      textsOf(last, 'ENV')
        .join(' ')
        .match(/(?<=PATH=)[^:]+/) ?? [];
    const { stdout } = spawnSync(join(root, 'last', path, 'extreg'), ['--version'], { encoding: 'utf8' });
    t.is(stdout, `${manifest.version}\n`);
    t.false(readdirSync(join(root, 'last')).includes('checkout'), 'what it was made from stays behind');
  },
);

/** As COPY does: a folder's content, or files into a folder. `stage`: where another stage lies. */
function copy(
  { from, sources, target }: ReturnType<typeof copyOf>,
  inside: (path: string) => string,
  stage: (name: string) => string,
): void {
  for (const source of sources) {
    const path = from === null ? source : join(stage(from), source);
    const isFile = /\.\w+$|LICENSE$/.test(source);
    const to = isFile ? join(inside(target), basename(source)) : inside(target);
    mkdirSync(dirname(to), { recursive: true });
    cpSync(path, to, { recursive: true, verbatimSymlinks: true });
  }
}
