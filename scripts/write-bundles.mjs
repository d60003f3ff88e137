// `node scripts/write-bundles.mjs <root>`: writes dist/vendor with esbuild, and the licences beside it. Use ensureBundles()
// of bundles.mjs, which runs this where it is needed.
//
// BUNDLE-3. A bundle exports what the package does, by the same names.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { build } from 'esbuild';
import { licensesText, packagesOf } from './bundle-licenses.mjs';
import {
  COMMONJS_BUNDLES,
  ESM_BUNDLES,
  LICENSES_FILE,
  makeStamp,
  OUTPUT,
  readStamp,
  removeAllBut,
  stampFile,
} from './bundles.mjs';

/** CommonJS packages ask for Node's own modules by `require`, which a module does not have. */
const REQUIRE =
  "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);";

async function main([root]) {
  process.chdir(root);
  mkdirSync('dist', { recursive: true });
  // On the file system where the files go.
  const scratch = mkdtempSync(join('dist', '.bundling-'));
  try {
    const results = [
      await bundle(ESM_BUNDLES, { format: 'esm', splitting: true, banner: { js: REQUIRE } }),
      await bundle(COMMONJS_BUNDLES, { format: 'cjs', outExtension: { '.js': '.cjs' } }),
    ];
    const inputs = Object.assign({}, ...results.map(({ metafile }) => metafile.inputs));
    const packages = packagesOf(inputs);
    const files = new Map([
      ...results
        .flatMap(({ outputFiles }) => outputFiles)
        .map(({ path, contents }) => [relative(join(root, OUTPUT), path), contents]),
      [LICENSES_FILE, licensesText(root, packages)],
    ]);
    replaceFiles(root, files, scratch);
    const stamp = makeStamp(root, [...packages, join('node_modules', 'esbuild')], [...files.keys()]);
    write(stampFile(root), JSON.stringify(stamp, null, 2), scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @param {import('esbuild').BuildOptions} options */
function bundle(specifiers, options) {
  return build({
    ...options,
    entryPoints: specifiers.map((specifier) => ({ in: `bundle:${specifier}`, out: specifier })),
    outdir: OUTPUT,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    platform: 'node',
    // As Node resolves them; esbuild would take the condition `module` too.
    conditions: [],
    target: 'node20.19',
    // Names of files and lines are enough for a stack; the sources themselves would be most of the package.
    sourcemap: 'linked',
    sourcesContent: false,
    // Error classes are logged by their names.
    keepNames: true,
    metafile: true,
    plugins: [entries, withoutTheirMaps, ...(options.format === 'esm' ? [yamlWhenNeeded] : [])],
    write: false,
    logLevel: 'warning',
  });
}

/** What is bundled as `bundle:typebox` exports all of `typebox`. BUNDLE-3. */
const entries = {
  name: 'entries',
  setup({ initialOptions: { format }, onResolve, onLoad }) {
    // As .mjs, whose `default` import of a CommonJS package is what Node makes it.
    onResolve({ filter: /^bundle:/ }, ({ path }) => ({
      path: `${path.replace('bundle:', '')}.mjs`,
      namespace: 'bundle',
    }));
    onLoad({ filter: /./, namespace: 'bundle' }, async ({ path }) => {
      const specifier = path.replace(/\.mjs$/, '');
      // What a CommonJS package exports is known only once it is loaded; its `default` is all of that together.
      const isWanted = (name) => /^[\w$]+$/.test(name) && !(format === 'cjs' && name === 'default');
      const names = Object.keys(await import(specifier)).filter(isWanted);
      return { contents: `export { ${names.join(', ')} } from '${specifier}';`, resolveDir: process.cwd() };
    });
  },
};

/** @fastify/swagger asks for it at its start, and needs it only for a document in YAML. It is in a bundle of its own, a folder above. */
const yamlWhenNeeded = {
  name: 'yaml-when-needed',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^yaml$/ }, () => ({ path: 'yaml', namespace: 'when-needed' }));
    onResolve({ filter: /^\.\.\/yaml\.cjs$/ }, ({ path }) => ({ path, external: true }));
    const lazily = (name) => `${name}: (...given) => require('../yaml.cjs').${name}(...given)`;
    onLoad({ filter: /./, namespace: 'when-needed' }, () => ({
      contents: `module.exports = { ${lazily('parse')}, ${lazily('stringify')} };`,
    }));
  },
};

/** A stack names the file that Node would load, which is there to be read; their maps name sources that may not be. */
const withoutTheirMaps = {
  name: 'without-their-maps',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]node_modules[\\/].*\.[cm]?js$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replaceAll(/^\/\/[#@] sourceMappingURL=.*$/gm, ''),
      loader: 'js',
    }));
  },
};

/** BUNDLE-2 of bundles.mjs. Entries last: what they import is there when they are. */
function replaceFiles(root, files, scratch) {
  const target = join(root, OUTPUT);
  const order = (name) => (name.startsWith('chunks') ? 0 : 1) + (name.endsWith('.map') ? 0 : 0.5);
  const names = [...files.keys()].sort((a, b) => order(a) - order(b));
  for (const name of names) {
    const path = join(target, name);
    mkdirSync(dirname(path), { recursive: true });
    write(path, files.get(name), scratch);
  }
  removeAllBut(root, [...names, ...(readStamp(root)?.files ?? [])]);
}

/** In one step, for a process that reads it meanwhile. */
function write(path, content, scratch) {
  const unfinished = join(scratch, 'unfinished');
  writeFileSync(unfinished, content);
  renameSync(unfinished, path);
}

await main(process.argv.slice(2));
