import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';

const script = async <T>(name: string): Promise<T> => (await import(pathToFileURL(resolve('scripts', name)).href)) as T;

interface Platform {
  readonly platform: string;
  readonly arch: string;
  readonly versions: { readonly modules: string };
}
const { dependencyStamp, dependenciesAreThere, installEnvironment, isInstalledByNpm } = await script<{
  isInstalledByNpm(root: string, platform: { platform: string; arch: string }): boolean;
  dependencyStamp(root: string, platform?: Platform): string;
  dependenciesAreThere(root: string): boolean;
  installEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv;
}>('dependencies.mjs');
const { checkNode, prepareDataDir } = await script<{
  checkNode(version: string, range: string): void;
  prepareDataDir(dataDir: string, neededBytes?: number): void;
}>('setup.mjs');
const { ensureNatsServer, findNatsServer } = await script<{
  findNatsServer(dataDir: string, env: NodeJS.ProcessEnv, usual?: string[]): string | null;
  ensureNatsServer(dataDir: string, env: NodeJS.ProcessEnv, usual?: string[]): Promise<string>;
}>('nats-server.mjs');
const { findPostgres } = await script<{
  findPostgres(dataDir: string, env: NodeJS.ProcessEnv, versioned?: string): string | null;
}>('postgres.mjs');
const { ensurePythonYaml, findPythonYaml } = await script<{
  findPythonYaml(dataDir: string, env: NodeJS.ProcessEnv, debian?: string): Promise<Found | null>;
  ensurePythonYaml(dataDir: string, env: NodeJS.ProcessEnv, debian?: string): Promise<Found>;
}>('python-yaml.mjs');

const { ensureChromium, findChromium } = await script<{
  findChromium(dataDir: string, env: NodeJS.ProcessEnv, usual?: string[]): string | null;
  ensureChromium(
    dataDir: string,
    env: NodeJS.ProcessEnv,
    usual?: string[],
  ): Promise<{ chromium?: string; missing?: string }>;
}>('chromium.mjs');
const { ensureMonitoring, findMonitoring, withLocalTemplates } = await script<{
  findMonitoring(dataDir: string, env: NodeJS.ProcessEnv): string | null;
  ensureMonitoring(dataDir: string, env: NodeJS.ProcessEnv): Promise<{ monitoring?: string; missing?: string }>;
  withLocalTemplates(program: Buffer): Buffer;
}>('monitoring.mjs');
const { refuse, requiredBy } = await script<{
  requiredBy(env: NodeJS.ProcessEnv): string[];
  refuse(required: readonly string[], missing: Readonly<Record<string, string>>): void;
}>('test-environment.mjs');

interface Found {
  readonly python: string;
  readonly pythonPath: string;
}

function directory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'extreg-setup-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const executable = (...parts: string[]): string => shellScript('exit 0', ...parts);

function shellScript(text: string, ...parts: string[]): string {
  const path = join(...parts);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

const here: Platform = { platform: 'linux', arch: 'x64', versions: { modules: '115' } };

test('stamp: changes with the lock file, the platform and the architecture, and with nothing else, such as the version of Node', (t) => {
  const root = directory(t);
  writeFileSync(join(root, 'package-lock.json'), '{}');
  const stamp = dependencyStamp(root, here);
  t.is(dependencyStamp(root, { ...here }), stamp);
  t.is(dependencyStamp(root, { ...here, versions: { modules: '127' } }), stamp);
  const others = [
    dependencyStamp(root, { ...here, platform: 'darwin' }),
    dependencyStamp(root, { ...here, arch: 'arm64' }),
  ];
  writeFileSync(join(root, 'package-lock.json'), '{ }');
  others.push(dependencyStamp(root, here));
  t.is(new Set([stamp, ...others]).size, 4);
});

test('stamp: no dependency is compiled for a version of Node', (t) => {
  const modules = resolve('node_modules');
  const compiled = readdirSync(modules, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.node'));
  t.deepEqual(compiled, []);
});

test('stamp: node_modules without one, or with an old one, are installed again', (t) => {
  const root = directory(t);
  writeFileSync(join(root, 'package-lock.json'), '{}');
  t.false(dependenciesAreThere(root));
  mkdirSync(join(root, 'node_modules'));
  t.false(dependenciesAreThere(root));
  const stamp = join(root, 'node_modules', '.extension-registry-stamp');
  writeFileSync(stamp, dependencyStamp(root));
  t.true(dependenciesAreThere(root));
  writeFileSync(join(root, 'package-lock.json'), '{"changed":true}');
  t.false(dependenciesAreThere(root));
});

const LOCK = {
  '': {},
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/b-linux': { version: '2.0.0', integrity: 'sha512-b', optional: true, os: ['linux'], cpu: ['x64'] },
  'node_modules/b-darwin': { version: '2.0.0', integrity: 'sha512-c', devOptional: true, os: ['darwin'] },
};
const { 'node_modules/a': A, 'node_modules/b-linux': B_LINUX } = LOCK;
const INSTALLED = { 'node_modules/a': A, 'node_modules/b-linux': B_LINUX };

const installed = test.macro<[_: string, packages: object | null, platform: string, expected: boolean]>({
  exec(t, _, packages, platform, expected) {
    const root = directory(t);
    mkdirSync(join(root, 'node_modules'));
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: LOCK }));
    if (packages !== null)
      writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));
    t.is(isInstalledByNpm(root, { platform, arch: 'x64' }), expected);
  },
  title: (_, what) => `node_modules without a stamp: ${what}`,
});
test(installed, 'npm ci has run here by itself', INSTALLED, 'linux', true);
test(installed, 'npm has left no list', null, 'linux', false);
test(installed, 'installed for another platform', INSTALLED, 'darwin', false);
test(installed, 'a package is missing', { 'node_modules/b-linux': B_LINUX }, 'linux', false);
test(installed, 'another version', { ...INSTALLED, 'node_modules/a': { ...A, version: '1.0.1' } }, 'linux', false);
test(installed, 'other contents', { ...INSTALLED, 'node_modules/a': { ...A, integrity: 'sha512-x' } }, 'linux', false);
test(installed, 'one that the lock file does not know', { ...INSTALLED, 'node_modules/z': A }, 'linux', false);
test(installed, 'optional packages may be missing', { 'node_modules/a': A }, 'linux', true);

test('npm ci: nothing that leaves out build tools reaches it; registry and certificates do', (t) => {
  const kept = {
    PATH: '/bin',
    npm_config_registry: 'https://registry.example',
    npm_config_cafile: '/ca.pem',
    npm_config_userconfig: '/home/u/.npmrc',
    NODE_EXTRA_CA_CERTS: '/ca.pem',
  };
  const leaks = {
    NODE_ENV: 'production',
    npm_config_omit: 'dev',
    NPM_CONFIG_OMIT: 'dev',
    npm_config_production: 'true',
    npm_config_ignore_scripts: 'true',
  };
  t.deepEqual(installEnvironment({ ...kept, ...leaks }), kept);
});

test('Node: an old one is refused with both numbers', (t) => {
  t.notThrows(() => checkNode('20.19.0', '>=20.19'));
  t.notThrows(() => checkNode('22.1.0', '>=20.19'));
  t.throws(() => checkNode('20.18.9', '>=20.19'), { message: 'This is Node 20.18.9; Node 20.19 or later is needed.' });
  t.throws(() => checkNode('18.20.0', '>=20.19'));
});

test('data directory: made where it is missing; a file in its place and a full disk are said', (t) => {
  const base = directory(t);
  prepareDataDir(join(base, 'a', 'b'), 1);
  t.deepEqual(readdirSync(join(base, 'a')), ['b']);
  writeFileSync(join(base, 'file'), '');
  t.throws(() => prepareDataDir(join(base, 'file'), 1), { message: /file cannot be written to/ });
  t.throws(() => prepareDataDir(base, Number.MAX_SAFE_INTEGER), { message: /The disk is nearly full/ });
});

test('nats-server: NATS_SERVER_BIN and nothing else, then PATH, then the usual directories, then the data directory', (t) => {
  const base = directory(t);
  const usual = [join(base, 'usual')];
  const env = { PATH: join(base, 'path') };
  t.is(findNatsServer(base, env, usual), null);
  const fetched = executable(base, 'tools', 'nats-server');
  t.is(findNatsServer(base, env, usual), fetched);
  const installed = executable(base, 'usual', 'nats-server');
  t.is(findNatsServer(base, env, usual), installed);
  const inPath = executable(base, 'path', 'nats-server');
  t.is(findNatsServer(base, env, usual), inPath);
  const named = executable(base, 'named');
  t.is(findNatsServer(base, { ...env, NATS_SERVER_BIN: named }, usual), named);
  t.is(findNatsServer(base, { ...env, NATS_SERVER_BIN: join(base, 'absent') }, usual), null);
});

test('nats-server: without one and without apt there is one command to run, and exit code 69', async (t) => {
  const base = directory(t);
  const error = await t.throwsAsync<Error & { exitCode: number }>(
    ensureNatsServer(base, { PATH: join(base, 'nothing') }, []),
  );
  t.is(error.exitCode, 69);
  t.regex(error.message, /There is no nats-server on this machine/);
  t.is(error.message.match(/^ {2}\S.*$/gm)?.length, 1);
});

test('nats-server: a NATS_SERVER_BIN that is none is not silently replaced', async (t) => {
  const base = directory(t);
  await t.throwsAsync(ensureNatsServer(base, { ...process.env, NATS_SERVER_BIN: join(base, 'absent') }), {
    message: /NATS_SERVER_BIN is .*absent, which is not an executable file/,
  });
});

test('postgres: postgres and initdb side by side, PATH first, then the newest version, then the data directory', (t) => {
  const base = directory(t);
  const versioned = join(base, 'versioned');
  const env = { PATH: join(base, 'path') };
  const side = (path: string) => {
    executable(path, 'postgres');
    executable(path, 'initdb');
    return path;
  };
  executable(base, 'path', 'postgres');
  t.is(findPostgres(base, env, versioned), null);
  const fetched = side(join(base, 'tools', 'postgresql', 'bin'));
  t.is(findPostgres(base, env, versioned), fetched);
  side(join(versioned, '9.6', 'bin'));
  const newest = side(join(versioned, '15', 'bin'));
  t.is(findPostgres(base, env, versioned), newest);
  const inPath = side(join(base, 'path'));
  t.is(findPostgres(base, env, versioned), inPath);
});

test('PyYAML: of every python3 the one that loads it, Debian\u2019s first, then PATH, then with what was fetched', async (t) => {
  const base = directory(t);
  const debian = join(base, 'debian');
  const env = { PATH: join(base, 'path') };
  const found = () => findPythonYaml(base, env, debian);
  t.is(await found(), null);
  const inPath = shellScript('[ "$PYTHONPATH" != "" ]', base, 'path', 'python3');
  t.is(await found(), null);
  const fetched = join(base, 'tools', 'python-yaml', 'usr', 'lib', 'python3', 'dist-packages');
  mkdirSync(fetched, { recursive: true });
  t.deepEqual(await found(), { python: inPath, pythonPath: fetched });
  writeFileSync(inPath, `#!${join(base, 'absent')}\n`);
  t.is(await found(), null);
  const wrapped = executable(base, 'tools', 'python-yaml', 'bin', 'python3');
  t.deepEqual(await found(), { python: wrapped, pythonPath: '' });
  const ofDebian = executable(debian, 'python3');
  t.deepEqual(await found(), { python: ofDebian, pythonPath: '' });
});

test('PyYAML: without one and without apt there is one command to run, and exit code 69', async (t) => {
  const base = directory(t);
  const error = await t.throwsAsync<Error & { exitCode: number }>(
    ensurePythonYaml(base, { PATH: join(base, 'nothing') }, join(base, 'debian')),
  );
  t.is(error.exitCode, 69);
  t.regex(error.message, /There is no Python with PyYAML on this machine/);
  t.is(error.message.match(/^ {2}\S.*$/gm)?.length, 1);
});

test('Chromium: the shell without a window comes first, wherever it is; of one kind the one in PATH', (t) => {
  const base = directory(t);
  const usual = [join(base, 'usual')];
  const env = { PATH: join(base, 'path') };
  const found = () => findChromium(base, env, usual);
  t.is(found(), null);
  const whole = executable(base, 'usual', 'chromium');
  t.is(found(), whole);
  const inPath = executable(base, 'path', 'chromium');
  t.is(found(), inPath);
  const fetched = executable(base, 'tools', 'chromium', 'bin', 'chromium-headless-shell');
  t.is(found(), fetched);
  const installed = executable(base, 'usual', 'chromium-headless-shell');
  t.is(found(), installed);
});

test('Chromium: without one and without apt it is said why the tests are skipped', async (t) => {
  const base = directory(t);
  const answer = await ensureChromium(base, { PATH: join(base, 'nothing') }, [join(base, 'usual')]);
  t.regex(answer.missing ?? '', /no Chromium on this machine, and no apt-get/);
});

test('monitoring: is found where all four programs are, and where it is missing the reason is given', async (t) => {
  const base = directory(t);
  const env = { PATH: join(base, 'path') };
  t.regex((await ensureMonitoring(base, env)).missing ?? '', /no Prometheus with Alertmanager .* no apt-get/);
  const kept = join(base, 'tools', 'monitoring');
  for (const name of ['prometheus', 'promtool', 'amtool']) executable(kept, name);
  t.is(findMonitoring(base, env), null);
  executable(kept, 'prometheus-alertmanager');
  t.is(findMonitoring(base, env), kept);
  t.deepEqual(await ensureMonitoring(base, env), { monitoring: kept });
});

test('monitoring: a fetched Alertmanager looks for its templates in its working directory; its length stays', (t) => {
  const path = '/usr/share/prometheus/alertmanager';
  const program = withLocalTemplates(Buffer.from(`a${path}/b${path}`));
  t.is(program.toString(), `a.${'/'.repeat(path.length - 1)}/b.${'/'.repeat(path.length - 1)}`);
});

test('TEST-ENVIRONMENT-1: what is required and missing ends the run, with why; what is not required does not', (t) => {
  t.deepEqual(requiredBy({}), []);
  t.deepEqual(requiredBy({ EXTREG_TEST_REQUIRE: '' }), []);
  t.deepEqual(requiredBy({ EXTREG_TEST_REQUIRE: 'browser, python,' }), ['browser', 'python']);
  const unknown = t.throws<Error & { exitCode: number }>(() => requiredBy({ EXTREG_TEST_REQUIRE: 'browser,bowser' }));
  t.is(unknown?.exitCode, 64);
  t.regex(unknown?.message ?? '', /takes browser, python, monitoring, got bowser/);
  t.notThrows(() => refuse([], { browser: 'none is here' }));
  t.notThrows(() => refuse(['python'], { browser: 'none is here', python: '' }));
  const error = t.throws<Error & { exitCode: number }>(() => refuse(['browser'], { browser: 'none is here' }));
  t.is(error?.exitCode, 69);
  t.regex(error?.message ?? '', /browser: none is here/);
});
