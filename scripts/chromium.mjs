// The Chromium that the tests of the console open pages in: found on this machine, else installed (as root) or fetched (as anyone
// else) from Debian's packages. Without one these tests are skipped.
import { chmodSync, mkdirSync, renameSync, statfsSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { apt, aptIsThere, keepPackages, unpackPackages } from './apt.mjs';
import { run, SetupError } from './child-process.mjs';
import { isExecutable, pathDirectories } from './executables.mjs';
import { say } from './say.mjs';

/** The shell without a window first: a whole browser draws its own controls too, and takes twice the processor time. */
const NAMES = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const USUAL_DIRECTORIES = ['/usr/bin', '/usr/lib/chromium'];
/** A page without a font has no text. The browser looks for its data, which the second has, beside itself. */
const PACKAGES = ['chromium-headless-shell', 'chromium-common', 'fonts-liberation'];
/** What the packages and their libraries take, archives included. */
const NEEDED_MIB = 600;

const privateTree = (dataDir) => resolve(dataDir, 'tools', 'chromium');

/** Path of a browser; null where there is none. */
export function findChromium(dataDir, env, usual = USUAL_DIRECTORIES) {
  const directories = [...pathDirectories(env), ...usual, join(privateTree(dataDir), 'bin')];
  const paths = NAMES.flatMap((name) => directories.map((directory) => join(directory, name)));
  return paths.find(isExecutable) ?? null;
}

/**
 * Like findChromium, but gets what is not there; `{ missing }` says why there is none.
 * @returns {Promise<{ chromium: string } | { missing: string }>}
 */
export async function ensureChromium(dataDir, env = process.env, usual = USUAL_DIRECTORIES) {
  const found = findChromium(dataDir, env, usual);
  if (found !== null) return { chromium: found };
  if (!aptIsThere(env)) return { missing: 'there is no Chromium on this machine, and no apt-get to fetch it with' };
  const isRoot = process.getuid?.() === 0;
  const free = freeMebibytes(isRoot ? '/usr' : dataDir);
  if (free < NEEDED_MIB) return { missing: `Chromium takes ${NEEDED_MIB} MiB, and the disk has ${free} MiB left` };
  try {
    await (isRoot ? installChromium(env) : fetchChromium(dataDir));
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return { missing: `Chromium cannot be fetched: ${error.message.split('\n')[0]}` };
  }
  const installed = findChromium(dataDir, env, usual);
  return installed === null ? { missing: "Debian's packages have no Chromium" } : { chromium: installed };
}

function freeMebibytes(directory) {
  const { bavail, bsize } = statfsSync(directory);
  return Math.floor((bavail * bsize) / 1024 / 1024);
}

async function installChromium(env) {
  say('Installing Chromium for the tests (apt-get install chromium-headless-shell) …');
  const options = { env: { ...env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' } };
  await apt(['update'], options);
  await apt(['install', '--yes', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', ...PACKAGES], options);
}

/** The browser, and those of its libraries and fonts that this machine lacks. */
export async function fetchChromium(dataDir) {
  say(`Fetching Chromium for the tests into the data directory, up to ${NEEDED_MIB} MiB …`);
  await unpackPackages({ packages: PACKAGES, withDependencies: true }, dataDir, async (unpacked) => {
    const program = join(unpacked, 'usr', 'lib', 'chromium', 'chromium-headless-shell');
    if (!isExecutable(program)) throw new SetupError('The packages hold no Chromium.', 69);
    const tree = privateTree(dataDir);
    writeFileSync(join(unpacked, 'fonts.conf'), fontsOf(tree));
    keepPackages(unpacked, tree, [program]);
    useOwnFonts(tree, basename(program));
    const { code, output } = await run(join(tree, 'bin', basename(program)), ['--version']);
    if (code !== 0) throw new SetupError(`The Chromium that was fetched does not start: ${output.trim()}`, 69);
  });
}

/** `tree`: where the packages are unpacked. */
const fontsOf = (tree) => `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${join(tree, 'usr', 'share', 'fonts')}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${join(tree, 'font-cache')}</cachedir>
</fontconfig>
`;

/** Without its own file, fontconfig looks for /etc/fonts, which may not be there. */
function useOwnFonts(tree, name) {
  const wrapper = join(tree, 'bin', name);
  const inner = join(tree, 'bin', `${name}-with-libraries`);
  mkdirSync(join(tree, 'font-cache'), { recursive: true });
  renameSync(wrapper, inner);
  writeFileSync(wrapper, `#!/bin/sh\nFONTCONFIG_FILE="${join(tree, 'fonts.conf')}" exec "${inner}" "$@"\n`);
  chmodSync(wrapper, 0o755);
}
