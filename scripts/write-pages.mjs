// `node scripts/write-pages.mjs <root>`: writes dist/pages with esbuild: assets with a hash in their names, each also
// compressed, and the manifest that the daemon reads. Use ensurePages() of pages.mjs, which runs this where it is needed.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { licensesText, packagesOf } from './bundle-licenses.mjs';
import {
  LICENSES_FILE,
  MANIFEST,
  makeStamp,
  PAGES,
  readStamp,
  removeAllBut,
  sourcesHash,
  stampFile,
} from './pages.mjs';

/** The page that is opened first: what it loads is what the limit on the first page counts. */
const FIRST_PAGE = 'console/pages/overview-page.tsx';
const ENTRY = 'console/app/main.tsx';
const STYLE = 'console/styles/console.css';
const ICON = 'console/app/icon.svg';

async function main([root]) {
  process.chdir(root);
  const sources = sourcesHash(root);
  mkdirSync(PAGES, { recursive: true });
  // On the file system where the files go.
  const scratch = mkdtempSync(join('dist', '.pages-'));
  try {
    const { metafile, outputFiles } = await bundle();
    const packages = packagesOf(metafile.inputs);
    const assets = new Map(outputFiles.map(({ path, contents }) => [relative(join(root, PAGES), path), contents]));
    assets.set(join('assets', LICENSES_FILE), Buffer.from(licensesText(root, packages)));
    const manifest = manifestOf(metafile, [...assets.keys()]);
    const files = new Map([...assets].flatMap(([name, content]) => compressed(name, content)));
    for (const [name, content] of files) write(join(PAGES, name), content, scratch);
    write(join(PAGES, MANIFEST), JSON.stringify(manifest, null, 2), scratch);
    const names = [...files.keys(), MANIFEST];
    removeAllBut(root, [...names, ...(readStamp(root)?.files ?? [])]);
    const stamp = makeStamp(root, sources, [...packages, join('node_modules', 'esbuild')], names);
    write(stampFile(root), JSON.stringify(stamp, null, 2), scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const bundle = () =>
  build({
    entryPoints: [ENTRY, STYLE, ICON],
    outdir: join(PAGES, 'assets'),
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    loader: { '.svg': 'copy' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: ['chrome115', 'firefox115', 'safari17'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    legalComments: 'none',
    metafile: true,
    write: false,
    logLevel: 'warning',
  });

/** What the daemon has to know of the files: which of them a page names, and which it serves. */
function manifestOf({ outputs }, names) {
  const made = Object.entries(outputs);
  const outputOf = (entry) =>
    (made.find(([, { entryPoint }]) => entryPoint === entry) ?? made.find(([, { inputs }]) => entry in inputs))?.[0];
  const [main, style, icon, first] = [ENTRY, STYLE, ICON, FIRST_PAGE].map((entry) => {
    const path = outputOf(entry);
    if (path === undefined) throw new Error(`esbuild wrote nothing for ${entry}`);
    return path;
  });
  const preload = reachedFrom(outputs, main).filter((path) => path !== main);
  const firstPage = new Set([main, style, icon, ...preload, ...reachedFrom(outputs, first)]);
  return {
    main: basename(main),
    style: basename(style),
    icon: basename(icon),
    preload: preload.map((path) => basename(path)),
    first_page: [...firstPage].map((path) => basename(path)),
    assets: names.map((name) => basename(name)).sort(),
  };
}

/** An output and what it imports statically. */
function reachedFrom(outputs, path, reached = []) {
  if (reached.includes(path)) return reached;
  reached.push(path);
  for (const { path: next, kind } of outputs[path].imports)
    if (kind === 'import-statement') reachedFrom(outputs, next, reached);
  return reached;
}

function compressed(name, content) {
  const options = {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
  };
  return [
    [name, content],
    [`${name}.br`, brotliCompressSync(content, options)],
    [`${name}.gz`, gzipSync(content, { level: 9 })],
  ];
}

/** In one step, for a process that reads it meanwhile. */
function write(path, content, scratch) {
  const unfinished = join(scratch, 'unfinished');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(unfinished, content);
  renameSync(unfinished, path);
}

await main(process.argv.slice(2));
